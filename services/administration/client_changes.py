"""Changing clients: name, status, manager; soft delete and its way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from global_db import clients
from global_db.clients import BeingErased, Client
from global_db.clients import CodeTaken as CodeTakenInDatabase
from global_db.connection import WriteConnection
from services.access.admission import GlobalAccess, TenantAccess
from services.administration.clients import image
from services.audit import Event, record_global
from services.errors import CodeTaken, Conflict, InvalidRequest, NotFound
from services.failures import global_failures
from services.identity.principal import Caller, Principal
from services.resources import Data
from services.tenant.merge_patch import merge_patch, size_of

__all__ = ["UNCHANGED", "ClientPatch", "delete", "restore", "update"]

MAX_METADATA_BYTES = 64 * 1024


class _Unchanged:
    """Says that a member was not given, where None is a value."""


UNCHANGED = _Unchanged()


@dataclass(frozen=True, slots=True)
class ClientPatch:
    """What to change; None leaves as it is. `metadata` is a JSON Merge Patch (RFC 7396);
    `managed_by` may be set to None."""

    code: str | None = None
    name: str | None = None
    metadata: dict[str, Any] | None = None
    status: str | None = None
    managed_by: UUID | _Unchanged | None = UNCHANGED


async def update(data: Data, access: TenantAccess, patch: ClientPatch) -> Client:
    """Change a client; a new status is heard by every router at once, and acted on within the
    placement's lease in any case.

    Raises:
        NotFound, CodeTaken; InvalidRequest: metadata too large, or the manager is no user.
    """
    _demand_known_manager(access.caller.principal, patch.managed_by)
    return await _change(data, access, "client.update", lambda before: patched(before, patch))


async def delete(data: Data, access: TenantAccess) -> None:
    """Soft-delete a client: for its users and keys it is gone, its data stays.

    Raises:
        NotFound.
    """
    with global_failures():
        async with data.global_db.write() as connection:
            before = await clients.lock(connection, access.client_id)
            if before is None or not await clients.delete(connection, access.client_id):
                raise NotFound
            await _record(connection, access.caller, "client.delete", before, None)
    data.placements.forget(access.client_id)


async def restore(data: Data, access: GlobalAccess, client_id: UUID) -> Client:
    """Take a soft delete back.

    Raises:
        NotFound: no client of this id was ever made. Conflict: it is not deleted.
        CodeTaken: a living client has its code by now.
    """
    with global_failures():
        async with data.global_db.write() as connection:
            try:
                restored = await clients.restore(connection, client_id)
            except CodeTakenInDatabase as error:
                raise CodeTaken(
                    "Another client has taken this client's code since: change that one's code "
                    "first, then restore again."
                ) from error
            except BeingErased as error:
                raise Conflict("The client is being erased: it does not come back.") from error
            if restored is None:
                await _explain_missing(connection, client_id)
                raise NotFound
            await _record(connection, access.caller, "client.restore", None, restored)
    return restored


def patched(before: Client, patch: ClientPatch) -> Client:
    """The client as the patch makes it.

    Raises:
        InvalidRequest: the merged metadata is too large.
    """
    metadata = before.metadata
    if patch.metadata is not None:
        metadata = merge_patch(before.metadata, patch.metadata)
        if size_of(metadata) > MAX_METADATA_BYTES:
            message = f"must not take more than {MAX_METADATA_BYTES} bytes as JSON"
            raise InvalidRequest.at("/metadata", message)
    managed_by = patch.managed_by
    return replace(
        before,
        code=patch.code or before.code,
        name=patch.name or before.name,
        status=patch.status or before.status,
        metadata=metadata,
        managed_by=before.managed_by if isinstance(managed_by, _Unchanged) else managed_by,
    )


def _demand_known_manager(principal: Principal, manager: UUID | _Unchanged | None) -> None:
    """Who may not see users must not learn here which ids are users: theirs is the one they know.

    Raises:
        InvalidRequest: as for an id that is no user.
    """
    strange = isinstance(manager, UUID) and manager != principal.user_id
    if strange and not principal.may("user:read", None):
        raise InvalidRequest.at("/managed_by", "is not a user")


async def _change(
    data: Data, access: TenantAccess, action: str, change: Callable[[Client], Client]
) -> Client:
    with global_failures():
        async with data.global_db.write() as connection:
            before = await clients.lock(connection, access.client_id)
            if before is None:
                raise NotFound
            wanted = change(before)
            if wanted == before:
                return before
            after = await _store(connection, wanted)
            await _record(connection, access.caller, action, before, after)
    data.placements.forget(access.client_id)
    return after


async def _store(connection: WriteConnection, client: Client) -> Client:
    try:
        return await clients.update(connection, client)
    except CodeTakenInDatabase as error:
        raise CodeTaken(f"A client with the code {client.code} exists.") from error
    except clients.UnknownManager as error:
        raise InvalidRequest.at("/managed_by", "is not a user") from error


async def _explain_missing(connection: WriteConnection, client_id: UUID) -> None:
    if await clients.get(connection, client_id) is not None:
        raise Conflict("The client is not deleted, so there is nothing to restore.")


async def _record(
    connection: WriteConnection,
    caller: Caller,
    action: str,
    before: Client | None,
    after: Client | None,
) -> None:
    entity = after or before
    if entity is None:
        raise ValueError("an event tells of a client")
    event = Event(
        action,
        "client",
        entity.id,
        None if before is None else image(before),
        None if after is None else image(after),
    )
    await record_global(connection, caller, event, entity.id)
