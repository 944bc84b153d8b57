"""People, roles and clients for tests, made through the API as the administrator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.acceptance.api import Session, log_in, make_key
from tests.acceptance.fleet import LocalFleet
from tests.access_model import EVERYWHERE, ROLES, Caller

PASSWORD = "a quiet harbour at dusk 41"
KEY_SCOPES = ("audit:read", "client:read", "document:delete", "document:read", "document:write")


@dataclass(frozen=True)
class Actor:
    """Somebody who calls: a key, a token or a session, and what the contract grants its holder."""

    name: str
    credential: str | Session | None = field(repr=False)
    caller: Caller
    email: str | None = None
    password: str = field(default=PASSWORD, repr=False)

    @property
    def bearer(self) -> str | None:
        """What to send now."""
        return self.credential.token if isinstance(self.credential, Session) else self.credential


@dataclass
class Stage:
    """Makes clients, people and things through the API, as the administrator."""

    fleet: LocalFleet
    admin: httpx.Client

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Make something; it must succeed."""
        answer = self.admin.post(path, json=body)
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def client(self) -> str:
        """A new client."""
        return str(self.post("/v1/clients", {"code": f"m-{uuid4().hex[:20]}", "name": "m"})["id"])

    def set_status(self, client_id: str, status: str) -> None:
        """Change a client's status."""
        answer = self.admin.patch(f"/v1/clients/{client_id}", json={"status": status})
        assert answer.is_success, answer.text

    def upload(self, client_id: str, document_id: str) -> str:
        """A new upload into a document, of which nothing has arrived."""
        path = f"/v1/clients/{client_id}/documents/{document_id}/uploads"
        return str(self.post(path, {"size": 1, "checksum_sha256": "0" * 64})["upload_id"])

    def user(self, **fields: Any) -> dict[str, Any]:
        """A new user, without roles."""
        given = {"email": f"{uuid4().hex}@example.org", "password": PASSWORD} | fields
        return self.post("/v1/users", given)

    def grant(self, user_id: str, role: str, client_id: str | None = None) -> dict[str, Any]:
        """Give a role."""
        return self.post(f"/v1/users/{user_id}/roles", {"role": role, "client_id": client_id})

    def role(self, *permissions: str) -> dict[str, Any]:
        """A new role."""
        name = f"r{uuid4().hex[:20]}"
        return self.post("/v1/roles", {"name": name, "permissions": list(permissions)})

    def token(self, email: str, password: str = PASSWORD) -> str:
        """Log in; good for ten minutes."""
        return self.session(email, password).token

    def session(self, email: str, password: str = PASSWORD) -> Session:
        """Log in, for as long as that takes."""
        return log_in(self.fleet, {"email": email, "password": password})

    def person(self, name: str, *roles: tuple[str, str, str | None]) -> Actor:
        """A user who is logged in, with (role, client's name, client's id)."""
        user = self.user()
        for role, _, client_id in roles:
            self.grant(user["id"], role, client_id)
        grants = tuple((ROLES[role], where or EVERYWHERE) for role, where, _ in roles)
        return Actor(name, self.session(user["email"]), Caller(grants), user["email"])

    def key(self, name: str, client: str, client_id: str, *scopes: str) -> Actor:
        """A key of a client."""
        key = make_key(self.admin, client_id, scopes or KEY_SCOPES)
        grant = (frozenset(scopes or KEY_SCOPES), client)
        return Actor(name, key["key"], Caller((grant,), person=False))


def address() -> str:
    return f"{uuid4().hex}@example.org"


def refused(answer: httpx.Response, status: int, code: str) -> str:
    """Check a refusal; answers what it tells a person."""
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return str(answer.json()["detail"])


def log_of(admin: httpx.Client, **filters: str) -> list[dict[str, Any]]:
    """The global audit log, newest first."""
    answer = admin.get("/v1/audit-logs", params={"limit": "200", **filters})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["items"]
    return rows
