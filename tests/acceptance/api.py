"""A tenant of the running fleet, and callers of it."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.acceptance.fleet import LocalFleet

ALL_SCOPES = ("audit:read", "document:delete", "document:read", "document:write")


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


def connect(fleet: LocalFleet, bearer: str | None = None) -> httpx.Client:
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    return httpx.Client(base_url=fleet.api, headers=headers, timeout=20)


def log_in(fleet: LocalFleet, credentials: dict[str, str] | None = None) -> str:
    """An access token; of the fleet's administrator when nobody is named."""
    variables = fleet.variables
    credentials = credentials or {
        "email": variables["DOCSHARD_ADMIN_EMAIL"],
        "password": variables["DOCSHARD_ADMIN_PASSWORD"],
    }
    with connect(fleet) as http:
        answer = http.post("/v1/auth/login", json=credentials)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


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
