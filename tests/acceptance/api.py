"""A tenant of the running fleet, and callers of it."""

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from uuid import uuid4

import httpx

from tests.acceptance.fleet import LocalFleet

RENEWED_AFTER = 0.6
"""Of an access token's life."""
ALL_SCOPES = (
    "audit:read",
    "document:delete",
    "document:purge",
    "document:read",
    "document:write",
)


@dataclass(frozen=True)
class Tenant:
    """One client with a caller for its documents."""

    id: str
    http: httpx.Client = field(repr=False)

    @property
    def documents(self) -> str:
        return f"/v1/clients/{self.id}/documents"

    def make_document(self, **fields: Any) -> dict[str, Any]:
        given = {"original_name": "a.txt", "mime_type": "text/plain"} | fields
        answer = self.http.post(self.documents, json=given)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def path(self, document: dict[str, Any]) -> str:
        return f"{self.documents}/{document['id']}"

    def put(self, document: dict[str, Any], content: bytes) -> dict[str, Any]:
        answer = self.http.put(f"{self.path(document)}/content", content=content)
        assert answer.status_code == 201, answer.text
        version: dict[str, Any] = answer.json()
        return version


class Session(httpx.Auth):
    """Somebody who is logged in for as long as that takes: an access token is good for ten minutes,
    and on a busy machine tests that share one take longer."""

    def __init__(self, fleet: LocalFleet, credentials: dict[str, str]) -> None:
        self._fleet = fleet
        self._credentials = credentials
        self._renewing = Lock()
        self._keep(self._ask("login", credentials))

    @property
    def token(self) -> str:
        """An access token that is good for some minutes yet."""
        with self._renewing:
            if time.monotonic() > self._renew_at:
                renewed = self._ask("refresh", {"refresh_token": self._refresh_token})
                if renewed.status_code == httpx.codes.UNAUTHORIZED:  # somebody ended the session
                    renewed = self._ask("login", self._credentials)
                self._keep(renewed)
            return self._token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        request.headers["Authorization"] = f"Bearer {self.token}"
        yield request

    def _ask(self, how: str, body: dict[str, str]) -> httpx.Response:
        with connect(self._fleet) as http:
            return http.post(f"/v1/auth/{how}", json=body)

    def _keep(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200, answer.text
        told = answer.json()
        self._token, self._refresh_token = str(told["access_token"]), str(told["refresh_token"])
        self._renew_at = time.monotonic() + told["expires_in"] * RENEWED_AFTER


def connect(fleet: LocalFleet, credential: str | httpx.Auth | None = None) -> httpx.Client:
    """A caller: with a token or a key, with a session, or nobody."""
    if isinstance(credential, str):
        headers = {"Authorization": f"Bearer {credential}"}
        return httpx.Client(base_url=fleet.api, headers=headers, timeout=20)
    return httpx.Client(base_url=fleet.api, auth=credential, timeout=20)


def log_in(fleet: LocalFleet, credentials: dict[str, str] | None = None) -> Session:
    """A session; of the fleet's administrator when nobody is named."""
    variables = fleet.variables
    administrator = {
        "email": variables["DOCSHARD_ADMIN_EMAIL"],
        "password": variables["DOCSHARD_ADMIN_PASSWORD"],
    }
    return Session(fleet, credentials or administrator)


def make_key(
    admin: httpx.Client, client_id: str, scopes: tuple[str, ...] = ALL_SCOPES
) -> dict[str, Any]:
    body = {"name": "acceptance", "scopes": list(scopes)}
    answer = admin.post(f"/v1/clients/{client_id}/api-keys", json=body)
    assert answer.status_code == 201, answer.text
    key: dict[str, Any] = answer.json()
    return key


def make_tenant(fleet: LocalFleet, admin: httpx.Client) -> Generator[Tenant]:
    body = {"code": f"tenant-{uuid4().hex[:20]}", "name": "A tenant"}
    answer = admin.post("/v1/clients", json=body)
    assert answer.status_code == 201, answer.text
    client_id = answer.json()["id"]
    with connect(fleet, make_key(admin, client_id)["key"]) as http:
        yield Tenant(client_id, http)
