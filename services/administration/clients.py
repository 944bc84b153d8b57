"""Use cases on clients (tenants)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from global_db import clients, shard_catalog
from global_db.clients import Client, ClientFilter
from global_db.clients import CodeTaken as CodeTakenInDatabase
from global_db.connection import ReadConnection, WriteConnection
from global_db.reading import FROM_PRIMARY
from global_db.reads import read_from
from services.access.admission import GlobalAccess, TenantAccess
from services.audit import Event, record_global
from services.cursor import ListScope
from services.errors import CodeTaken, InvalidRequest, NotFound, ShardUnavailable
from services.failures import global_failures, tenant_failures
from services.idempotency import key_for, once_in_global
from services.ids import new_id
from services.pages import Page, PageRequest, page_of, start_of
from services.resources import Data, Resources
from shards import residency
from shards.registry import NoShards

__all__ = ["Client", "ClientFilter", "NewClient", "PlacementView", "create", "get", "list_newest"]

FIRST_EPOCH = 1
_CLIENT: TypeAdapter[Client] = TypeAdapter(Client)


class _ShardCloses(Exception):
    """The ring proposed a shard that takes no new clients any more. Nothing was committed."""


@dataclass(frozen=True, slots=True)
class NewClient:
    """A tenant to admit; `code` is unique among living clients."""

    code: str
    name: str
    metadata: dict[str, Any]
    managed_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class PlacementView:
    """Where a client lives, as directory and shard say; `state` is the shard's word."""

    client_id: UUID
    shard: str
    epoch: int
    state: str


async def create(
    data: Data, access: GlobalAccess, new: NewClient, key: str | None = None
) -> Client:
    """Admit a tenant to the shard that the ring proposes.

    The shard learns of it first: should the global transaction fail, an id that nobody knows stays
    behind there. The other order could leave a client whom no shard admits.

    Raises:
        CodeTaken, InvalidRequest, ShardUnavailable, IdempotencyMismatch, IdempotencyInProgress.
    """
    asked = [new.code, new.name, new.metadata, new.managed_by]
    once = key_for(access.caller.principal, key, "create_client", asked)

    async def attempt() -> Client:
        async with data.global_db.write() as connection:

            async def effect() -> Client:
                return await _admit(data, connection, access, new)

            client, _ = await once_in_global(connection, once, _CLIENT, effect)
        return client

    with global_failures():
        try:
            return await attempt()
        except _ShardCloses:
            await data.registry.refresh()
        try:
            return await attempt()
        except _ShardCloses as error:
            raise ShardUnavailable("The shards change at present.") from error


async def get(resources: Resources, access: TenantAccess) -> Client:
    """One client.

    Raises:
        NotFound.
    """
    with global_failures():
        async with resources.data.global_db.read() as connection:
            client = await clients.get(connection, access.client_id)
    if client is None:
        raise NotFound
    return client


async def list_newest(
    resources: Resources,
    access: GlobalAccess,
    wanted: ClientFilter,
    request: PageRequest,
) -> Page[Client]:
    """A page of the clients the caller may see, newest first.

    A replica that finds nothing on a first page may not have heard of it yet: the primary is asked.

    Raises:
        InvalidCursor.
    """
    scope = ListScope(
        "clients",
        None,
        {
            "status": wanted.status,
            "code": wanted.code,
            "metadata": wanted.metadata,
            "principal": access.caller.principal.id,
        },
    )
    cursors = resources.secrets.cursors
    position = await start_of(cursors, scope, request)
    before = None if position is None else UUID(position[0])
    visible = ClientFilter(wanted.status, wanted.code, wanted.metadata, access.clients)

    async def work(connection: ReadConnection) -> list[Client]:
        return await clients.newest(connection, visible, before, request.limit + 1)

    directory = resources.data.global_db
    with global_failures():
        rows = await read_from(directory, access.directory, work)
        if not rows and before is None and access.directory != FROM_PRIMARY:
            rows = await read_from(directory, FROM_PRIMARY, work)
    return page_of(rows, request, lambda last: cursors.encode(scope, (str(last.id),)))


async def placement(resources: Resources, access: TenantAccess) -> PlacementView:
    """Where a client lives: the directory's word, and the shard's.

    Raises:
        NotFound, ShardUnavailable.
    """
    with tenant_failures():
        found = await resources.data.placements.fetch(access.client_id)
        async with resources.data.registry.any_cluster(found.shard).read() as connection:
            there = await residency.state(connection, access.client_id)
    state = "absent" if there is None else there[1]
    return PlacementView(found.client_id, found.shard, found.epoch, state)


async def _admit(
    data: Data, connection: WriteConnection, access: GlobalAccess, new: NewClient
) -> Client:
    client_id = new_id()
    shard = _home(data, client_id)
    client = await _insert(connection, new, client_id, shard)
    # The insert's foreign key holds the shard's row, which who drains or removes it locks before:
    # this statement sees what they wrote, or they will see this client (`shard_catalog.lock`). I6:
    # nobody lands on a shard that was found empty.
    if await shard_catalog.status(connection, shard) != "active":
        raise _ShardCloses(shard)
    with tenant_failures():
        async with data.registry.cluster(shard).write() as there:
            await residency.admit(there, client_id, FIRST_EPOCH)
    await record_global(
        connection,
        access.caller,
        Event("client.create", "client", client_id, None, image(client)),
        client_id,
    )
    return client


async def _insert(
    connection: WriteConnection, new: NewClient, client_id: UUID, shard: str
) -> Client:
    try:
        return await clients.insert(
            connection,
            id=client_id,
            code=new.code,
            name=new.name,
            metadata=new.metadata,
            managed_by=new.managed_by,
            shard=shard,
        )
    except CodeTakenInDatabase as error:
        raise CodeTaken(f"A client with the code {new.code} exists.") from error
    except clients.UnknownManager as error:
        raise InvalidRequest.at("/managed_by", "is not a user") from error


def _home(data: Data, client_id: UUID) -> str:
    try:
        return data.registry.ring().home(client_id)
    except NoShards as error:
        raise ShardUnavailable("No shard takes new clients at present.") from error


def image(client: Client) -> dict[str, Any]:
    """What the audit log keeps of a client."""
    return {
        "code": client.code,
        "name": client.name,
        "metadata": client.metadata,
        "status": client.status,
        "managed_by": client.managed_by,
        "deleted_at": client.deleted_at,
    }
