"""Use cases on a client's API keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from global_db import api_keys
from global_db.api_keys import ApiKey
from services.access.admission import TenantAccess
from services.audit import Event, record_global
from services.cursor import ListScope
from services.errors import Forbidden, NotFound, SecretAlreadyShown
from services.failures import global_failures
from services.idempotency import key_for, once_in_global
from services.identity.key_text import generate
from services.ids import new_id
from services.pages import Page, PageRequest, page_of, start_of
from services.resources import Resources

__all__ = ["ApiKey", "NewApiKey", "ShownApiKey", "create", "list_newest", "revoke"]

_API_KEY: TypeAdapter[ApiKey] = TypeAdapter(ApiKey)


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key to make; `scopes` are permissions inside the client."""

    name: str
    scopes: tuple[str, ...]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ShownApiKey:
    """A new key with its secret text: shown this once, stored only as a hash."""

    api_key: ApiKey
    text: str


async def create(
    resources: Resources, access: TenantAccess, new: NewApiKey, key: str | None = None
) -> ShownApiKey:
    """Make a key. It can never do more than its maker.

    Raises:
        Forbidden: a scope that the caller does not have on this client.
        SecretAlreadyShown: the Idempotency-Key has made its key before.
    """
    principal = access.caller.principal
    beyond = [scope for scope in new.scopes if not principal.may(scope, access.client_id)]
    if beyond:
        raise Forbidden(f"You cannot give what you do not have: {', '.join(beyond)}.")
    asked = [access.client_id, new.name, new.scopes, new.expires_at]
    once = key_for(principal, key, "create_api_key", asked)
    secret = generate()

    with global_failures():
        async with resources.data.global_db.write() as connection:

            async def effect() -> ApiKey:
                made = await api_keys.insert(
                    connection,
                    id=new_id(),
                    client_id=access.client_id,
                    name=new.name,
                    key_hash=secret.digest,
                    scopes=sorted(set(new.scopes)),
                    created_by=principal.user_id,
                    expires_at=new.expires_at,
                )
                await record_global(
                    connection, access.caller, _event("key.create", None, made), access.client_id
                )
                return made

            made, replayed = await once_in_global(connection, once, _API_KEY, effect)
    if replayed:
        raise SecretAlreadyShown
    return ShownApiKey(made, secret.text)


async def list_newest(
    resources: Resources, access: TenantAccess, request: PageRequest
) -> Page[ApiKey]:
    """A page of a client's keys, newest first, revoked ones too.

    Raises:
        InvalidCursor.
    """
    scope = ListScope("api_keys", access.client_id)
    cursors = resources.secrets.cursors
    position = await start_of(cursors, scope, request)
    before = None if position is None else UUID(position[0])
    with global_failures():
        async with resources.data.global_db.read() as connection:
            rows = await api_keys.of_client(connection, access.client_id, before, request.limit + 1)
    return page_of(rows, request, lambda last: cursors.encode(scope, (str(last.id),)))


async def revoke(resources: Resources, access: TenantAccess, key_id: UUID) -> None:
    """End a key; every process stops to accept it within the principals' lease.

    Raises:
        NotFound: the client has no such living key.
    """
    with global_failures():
        async with resources.data.global_db.write() as connection:
            revoked = await api_keys.revoke(connection, access.client_id, key_id)
            if revoked is None:
                raise NotFound
            await record_global(
                connection, access.caller, _event("key.revoke", revoked, None), access.client_id
            )


def _event(action: str, before: ApiKey | None, after: ApiKey | None) -> Event:
    entity = after or before
    if entity is None:
        raise ValueError("an event tells of a key")
    return Event(action, "api_key", entity.id, _image(before), _image(after))


def _image(key: ApiKey | None) -> dict[str, Any] | None:
    if key is None:
        return None
    return {"name": key.name, "scopes": key.scopes, "expires_at": key.expires_at}
