"""Use cases of operators on clients, by id or code: what a command beside the databases may do."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from global_db import clients as stored
from services.access.admission import admit_operator, admit_operator_to_client
from services.administration import client_changes, clients
from services.administration.client_changes import ClientPatch
from services.administration.clients import Client, NewClient
from services.errors import Conflict, InvalidRequest, NotFound
from services.failures import global_failures
from services.fleet.shards import as_id, client_named
from services.resources import Data

__all__ = [
    "Client",
    "NewClient",
    "admit",
    "delete",
    "deleted_named",
    "living_or_deleted",
    "restore",
    "set_status",
]

_CODE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")  # as the API takes it
_SHOWN: Final = 10


async def admit(data: Data, new: NewClient, reason: str | None) -> Client:
    """Admit a tenant to the shard that the ring proposes.

    Raises:
        CodeTaken, InvalidRequest, ShardUnavailable, DirectoryUnavailable.
    """
    if not _CODE.fullmatch(new.code):
        raise InvalidRequest.at("/code", "must be a-z, 0-9 and . _ - inside; 64 at most")
    with global_failures():
        await data.registry.refresh()
    return await clients.create(data, admit_operator(reason), new)


async def set_status(
    data: Data, name: str, status: str, reason: str | None
) -> tuple[Client, Client]:
    """Make a client active, inactive or suspended; answers it before and after.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    before = await client_named(data, name)
    access = admit_operator_to_client(before.id, reason)
    return before, await client_changes.update(data, access, ClientPatch(status=status))


async def delete(data: Data, client_id: UUID, reason: str | None) -> None:
    """Soft-delete a client.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    await client_changes.delete(data, admit_operator_to_client(client_id, reason))


async def deleted_named(data: Data, name: str) -> Client:
    """A deleted client by its id or its code.

    Raises:
        NotFound; Conflict: several deleted clients had the code; DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            found = await stored.deleted(connection, code=name, id=as_id(name), limit=_SHOWN)
    if not found:
        raise NotFound(f"There is no deleted client {name}.")
    if len(found) > 1:
        ids = ", ".join(f"{one.id} ({one.deleted_at:%Y-%m-%d %H:%M})" for one in found)
        raise Conflict(f"Several deleted clients had the code {name}: name one by its id. {ids}")
    return found[0]


async def living_or_deleted(data: Data, name: str) -> Client:
    """A client by its id or its code; a living one before deleted ones.

    Raises:
        As `deleted_named`.
    """
    try:
        return await client_named(data, name)
    except NotFound:
        return await deleted_named(data, name)


async def restore(data: Data, client_id: UUID, reason: str | None) -> Client:
    """Take a soft delete back.

    Raises:
        NotFound, CodeTaken, Conflict, DirectoryUnavailable.
    """
    return await client_changes.restore(data, admit_operator(reason), client_id)
