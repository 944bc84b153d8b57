"""What operators ask of the directory and change in it: shards, placements, pins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from global_db import clients, directory
from global_db.clients import Client, ClientFilter
from services.audit import Event, record_global
from services.errors import NotFound, ServiceError
from services.failures import global_failures, tenant_failures
from services.principal import Origin
from services.resources import Data
from shards import residency
from shards.registry import HISTORY, NoShards

__all__ = ["Client", "ClientFilter"]


@dataclass(frozen=True, slots=True)
class ShardView:
    """A shard as the catalog has it. `share` is its part of new clients, by the ring."""

    name: str
    status: str
    weight: float
    clients: int
    share: float
    schema_revision: str | None
    schema_behind: bool
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a client lives, as directory and shard say, and where the ring would put it.

    `epoch_there` and `state` are the shard's word; None when it does not know the client or does
    not answer.
    """

    client: Client
    wanted: str | None
    epoch_there: int | None
    state: str | None


async def shards(data: Data) -> list[ShardView]:
    """Every shard that was not removed.

    Raises:
        DirectoryUnavailable.
    """
    with global_failures():
        await data.registry.refresh()
        async with data.global_db.read() as connection:
            counts = await directory.clients_by_shard(connection)
    shares = _shares(data)
    return [
        ShardView(
            name=shard.name,
            status=shard.status,
            weight=shard.weight,
            clients=counts.get(shard.name, 0),
            share=shares.get(shard.name, 0.0),
            schema_revision=shard.schema_revision,
            schema_behind=HISTORY.is_behind(shard.schema_revision, HISTORY.head),
            nodes=tuple(f"{node.name} {node.host}:{node.port}" for node in shard.nodes),
        )
        for shard in data.registry.shards()
    ]


async def newest_clients(
    data: Data, wanted: ClientFilter, limit: int, before: UUID | None = None
) -> Sequence[Client]:
    """Living clients, newest first, from behind `before`.

    Raises:
        DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            return await clients.newest(connection, wanted, before, limit)


async def client_named(data: Data, name: str) -> Client:
    """A living client by its id or its code.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            client_id = _as_id(name)
            if client_id is not None:
                found = await clients.get(connection, client_id)
            else:
                rows = await clients.newest(connection, ClientFilter(code=name), None, 1)
                found = rows[0] if rows else None
    if found is None:
        raise NotFound(f"There is no client {name}.")
    return found


async def locate(data: Data, name: str) -> Whereabouts:
    """Where a client lives and where the ring would put it.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    client = await client_named(data, name)
    with global_failures():
        await data.registry.refresh()
    try:
        wanted = data.registry.ring().home(client.id)
    except NoShards:
        wanted = None
    epoch_there, state = await _there(data, client)
    return Whereabouts(client, wanted, epoch_there, state)


async def set_pin(data: Data, name: str, *, pinned: bool, reason: str | None) -> Client:
    """Pin a client to the shard it lives on, so that no plan moves it; or release it.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    before = await client_named(data, name)
    if before.pinned == pinned:
        return before
    after = replace(before, pinned=pinned)
    action = "client.pin" if pinned else "client.unpin"
    event = Event(action, "client", before.id, {"pinned": before.pinned}, {"pinned": after.pinned})
    with global_failures():
        async with data.global_db.write() as connection:
            if await directory.set_pin(connection, before.id, pinned=pinned) is None:
                raise NotFound(f"There is no client {name}.")
            await record_global(connection, Origin(reason=reason), event, before.id)
    return after


def _shares(data: Data) -> dict[str, float]:
    try:
        return data.registry.ring().shares()
    except NoShards:
        return {}


async def _there(data: Data, client: Client) -> tuple[int | None, str | None]:
    """The shard's own word; a shard that does not answer is no error for an operator who asks."""
    try:
        with tenant_failures():
            async with data.registry.any_cluster(client.shard).read() as connection:
                return await residency.state(connection, client.id) or (None, None)
    except ServiceError:
        return None, None


def _as_id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
