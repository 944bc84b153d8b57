"""Who calls in the authorisation matrix, and what they call: four clients with their own people."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.fleet.environment import parse_environment
from deploy.local.home import Home
from services.keys.material import Purpose
from services.resources import open_resources
from services.settings import Settings
from tests.acceptance.api import connect, log_in, make_key
from tests.acceptance.fleet import LocalFleet
from tests.acceptance.stage import KEY_SCOPES, Actor, Stage
from tests.access_model import EVERYWHERE, ROLES, Caller

STATUS: Mapping[str, str | None] = {
    "own": "active",
    "other": "active",
    "suspended": "suspended",
    "inactive": "inactive",
    "absent": None,
}
KEY_SECONDS = 3.0


@dataclass(frozen=True)
class Cast:
    """Everybody, and what there is to name: ids by client's name, and those of the service."""

    stage: Stage
    actors: tuple[Actor, ...]
    clients: Mapping[str, Mapping[str, Any]]
    service: Mapping[str, Any]

    def actor(self, name: str) -> Actor:
        """One of them."""
        return next(one for one in self.actors if one.name == name)


def make_cast(fleet: LocalFleet, admin: httpx.Client) -> Cast:
    """Set the stage; the statuses come last, when everything inside was made."""
    stage = Stage(fleet, admin)
    clients = {name: _inside(stage) for name, status in STATUS.items() if status}
    ids = {name: inside["client_id"] for name, inside in clients.items()}
    actors = (*_owners(stage, ids), *_keys(stage, ids), *_staff(stage, fleet), *_nobodies(stage))
    owner = next(actor for actor in actors if actor.name == "owner")
    ended = (*_ended_keys(stage, ids["own"]), _expired(fleet, owner))
    for name in ("suspended", "inactive"):
        stage.set_status(ids[name], name)
    names = ("client_id", "document_id", "upload_id", "key_id")
    absent: dict[str, Any] = {name: str(uuid4()) for name in names} | {"number": 1}
    return Cast(stage, (*actors, *ended), clients | {"absent": absent}, _service(stage))


def _inside(stage: Stage) -> dict[str, Any]:
    client_id = stage.client()
    key = make_key(stage.admin, client_id, KEY_SCOPES)
    with connect(stage.fleet, key["key"]) as http:
        given = {"original_name": "theirs.txt", "mime_type": "text/plain"}
        documents = f"/v1/clients/{client_id}/documents"
        document_id = http.post(documents, json=given).json()["id"]
        stored = http.put(f"{documents}/{document_id}/content", content=b"theirs")
        assert stored.status_code == 201, stored.text
    return {
        "client_id": client_id,
        "document_id": document_id,
        "upload_id": stage.upload(client_id, document_id),
        "key_id": key["id"],
        "number": 1,
    }


def _owners(stage: Stage, ids: Mapping[str, str]) -> tuple[Actor, ...]:
    return (
        stage.person("owner", ("client_admin", "own", ids["own"])),
        stage.person("editor", ("editor", "own", ids["own"])),
        stage.person("viewer", ("viewer", "own", ids["own"])),
        stage.person("client auditor", ("auditor", "own", ids["own"])),
        stage.person("other's owner", ("client_admin", "other", ids["other"])),
        stage.person("suspended's owner", ("client_admin", "suspended", ids["suspended"])),
        stage.person("inactive's owner", ("client_admin", "inactive", ids["inactive"])),
    )


def _keys(stage: Stage, ids: Mapping[str, str]) -> tuple[Actor, ...]:
    return (
        stage.key("own key", "own", ids["own"]),
        stage.key("own key for reports", "own", ids["own"], "report:read"),
        stage.key("other's key", "other", ids["other"]),
        stage.key("suspended's key", "suspended", ids["suspended"]),
        stage.key("inactive's key", "inactive", ids["inactive"]),
    )


def _staff(stage: Stage, fleet: LocalFleet) -> tuple[Actor, ...]:
    admin = Caller(((ROLES["admin"], EVERYWHERE),))
    email, password = (fleet.variables[f"DOCSHARD_ADMIN_{name}"] for name in ("EMAIL", "PASSWORD"))
    return (
        stage.person("operator", ("operator", "", None)),
        stage.person("auditor", ("auditor", "", None)),
        Actor("admin", log_in(fleet), admin, email, password),
    )


def _nobodies(stage: Stage) -> tuple[Actor, ...]:
    return (
        stage.person("user without roles"),
        Actor("anonymous", None, Caller(known=False)),
    )


def _ended_keys(stage: Stage, client_id: str) -> tuple[Actor, ...]:
    revoked = make_key(stage.admin, client_id, KEY_SCOPES)
    keys = f"/v1/clients/{client_id}/api-keys"
    assert stage.admin.delete(f"{keys}/{revoked['id']}").status_code == 204
    soon = datetime.now(UTC) + timedelta(seconds=KEY_SECONDS)
    body = {"name": "short", "scopes": list(KEY_SCOPES), "expires_at": soon.isoformat()}
    expired = stage.post(keys, body)
    unknown = Caller(known=False)
    return (
        Actor("revoked key", revoked["key"], unknown),
        Actor("expired key", expired["key"], unknown),
    )


def _service(stage: Stage) -> dict[str, Any]:
    user = stage.user()
    grant = stage.grant(user["id"], "viewer", stage.client())
    return {
        "user_id": user["id"],
        "grant_id": grant["id"],
        "role_id": stage.role("client:read")["id"],
    }


def _expired(fleet: LocalFleet, owner: Actor) -> Actor:
    """The owner's own token, signed again by the service's own key with a time that is over."""
    claims = jwt.decode(str(owner.bearer), options={"verify_signature": False})
    now = int(datetime.now(UTC).timestamp())
    bearer = asyncio.run(_signed(fleet, claims | {"iat": now - 700, "exp": now - 100}))
    return Actor("expired token", bearer, Caller(known=False))


async def _signed(fleet: LocalFleet, claims: Mapping[str, Any]) -> str:
    async with open_resources(settings_of(fleet)) as resources:
        key = resources.secrets.keyring.current(Purpose.JWT_SIGNING)
    private = Ed25519PrivateKey.from_private_bytes(key.secret)
    return jwt.encode(dict(claims), private, "EdDSA", headers={"kid": str(key.id), "typ": "at+jwt"})


def settings_of(fleet: LocalFleet) -> Settings:
    """What the fleet's own services read."""
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith("DOCSHARD_")]:
            environment.delenv(name)
        variables = parse_environment(Home(fleet.home).service_env.read_text())
        for name, value in variables.items():
            environment.setenv(name, value)
        return Settings()
