"""Use cases of operators on shards and placements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from global_db import clients, directory, shard_catalog
from global_db.cluster import NodeAddress, Role
from global_db.connection import WriteConnection
from global_db.shard_catalog import Shard
from services.audit import Event, record_global
from services.errors import Conflict, NotFound
from services.failures import global_failures
from services.identity.principal import Origin
from services.resources import Data
from shards import residency
from shards.registry import NoShards

__all__ = ["Located", "NodeAddress", "NodeState", "Shard", "ShardState"]

# A shard's id is its name; audit rows know entities by UUID.
_SHARDS: Final = UUID("5f3c1d0a-9f0b-5c7e-8b1e-6d6f63736872")


@dataclass(frozen=True, slots=True)
class NodeState:
    """What one node said of itself just now."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class ShardState:
    """A registered shard as it is now: living clients, the ring's share, its nodes."""

    shard: Shard
    clients: int
    share: float
    nodes: tuple[NodeState, ...]


@dataclass(frozen=True, slots=True)
class Located:
    """Where a client lives, and the home that the ring proposes.

    Shard and epoch are the directory's word; `residency` is the shard's own epoch and state, None
    when it does not answer or has no row. `home` is None while no shard takes new clients.
    """

    client_id: UUID
    code: str
    name: str
    shard: str
    epoch: int
    pinned: bool
    home: str | None
    residency: tuple[int, str] | None


async def register_shard(
    data: Data, name: str, nodes: Sequence[NodeAddress], weight: float = 1
) -> Shard:
    """Make a shard known, or give it new addresses. It moves nobody and migrates nothing.

    Raises:
        Conflict: a shard of that name was removed.
        DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.write() as connection:
            try:
                return await shard_catalog.register(connection, name, nodes, weight)
            except LookupError as error:
                detail = f"{name} was removed, and its name is never used again."
                raise Conflict(detail) from error


async def set_draining(data: Data, name: str, draining: bool, reason: str | None) -> Shard:
    """Say whether a shard takes new clients; answers it as it is now. It moves nobody.

    When this answers, no client is on its way to a shard that drains: who created one meanwhile
    has ended, and whoever comes later reads the new status (`shard_catalog.lock`). Routers hear of
    it at once and leave the shard out of the ring.

    Raises:
        NotFound: there is no such shard, or it was removed.
        Conflict: it is the last one that takes new clients.
        DirectoryUnavailable; Busy: somebody who creates a client there takes long.
    """
    status = "draining" if draining else "active"
    with global_failures():
        async with data.global_db.write() as connection:
            await shard_catalog.one_at_a_time(connection)
            before = await shard_catalog.lock(connection, name)
            if before is None or before.status == "removed":
                raise NotFound(f"There is no shard {name}.")
            if before.status == status:
                return before
            if draining and await _is_last_active(connection, name):
                raise Conflict(f"{name} is the last shard that takes new clients.")
            after = await shard_catalog.set_status(connection, name, status)
            await record_global(connection, Origin(reason=reason), status_event(before, after))
    return after


def status_event(before: Shard, after: Shard) -> Event:
    """What the global audit log keeps of a changed status."""
    action = {"draining": "shard.drain", "active": "shard.activate", "removed": "shard.remove"}
    images = ({"status": before.status}, {"status": after.status})
    return Event(action[after.status], "shard", entity_of(after.name), *images)


def entity_of(shard: str) -> UUID:
    """The id under which audit rows know a shard."""
    return uuid5(_SHARDS, shard)


async def record_switchover(
    data: Data, *, shard: str, before: str, after: str, reason: str | None
) -> None:
    """Write into the global audit log that a shard's primary was changed on purpose.

    Raises:
        DirectoryUnavailable.
    """
    event = Event(
        "shard.switchover",
        "shard",
        entity_of(shard),
        {"primary": before},
        {"primary": after},
    )
    with global_failures():
        async with data.global_db.write() as connection:
            await record_global(connection, Origin(reason=reason), event)


async def shard_states(data: Data) -> list[ShardState]:
    """Every registered shard with what is on it."""
    with global_failures():
        await data.registry.refresh()
        async with data.global_db.read() as connection:
            counts = await directory.clients_by_shard(connection)
    shares = _shares(data)
    return [_state(data, shard, counts, shares) for shard in data.registry.shards()]


async def client_named(data: Data, name: str) -> clients.Client:
    """A living client by its id or its code.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            client_id = as_id(name)
            if client_id is not None:
                found = await clients.get(connection, client_id)
            else:
                coded = await clients.newest(connection, clients.ClientFilter(code=name), None, 1)
                found = coded[0] if coded else None
    if found is None:
        raise NotFound(f"There is no client {name}.")
    return found


async def locate(data: Data, name: str) -> Located:
    """Where a client lives, as the directory and the shard itself say; by its id or its code.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    with global_failures():
        await data.registry.refresh()
    client = await client_named(data, name)
    return Located(
        client.id,
        client.code,
        client.name,
        client.shard,
        client.epoch,
        client.pinned,
        _home(data, client.id),
        await _residency(data, client.shard, client.id),
    )


async def list_clients(
    data: Data, wanted: clients.ClientFilter, before: UUID | None, limit: int
) -> list[clients.Client]:
    """A page of living clients, newest first."""
    with global_failures():
        async with data.global_db.read() as connection:
            return await clients.newest(connection, wanted, before, limit)


async def set_pin(
    data: Data, name: str, *, pinned: bool, reason: str | None
) -> tuple[clients.Client, bool]:
    """Pin a client, by id or code, to the shard it lives on, or release it.

    Answers the client as it was, and whether anything changed.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    client = await client_named(data, name)
    if client.pinned == pinned:
        return client, False
    action = "client.pin" if pinned else "client.unpin"
    event = Event(action, "client", client.id, {"pinned": client.pinned}, {"pinned": pinned})
    with global_failures():
        async with data.global_db.write() as connection:
            if await directory.set_pin(connection, client.id, pinned=pinned) is None:
                raise NotFound(f"There is no client {name}.")
            await record_global(connection, Origin(reason=reason), event, client.id)
    return client, True


def _shares(data: Data) -> dict[str, float]:
    try:
        return data.registry.ring().shares()
    except NoShards:
        return {}


def _home(data: Data, client_id: UUID) -> str | None:
    try:
        return data.registry.ring().home(client_id)
    except NoShards:
        return None


async def _is_last_active(connection: WriteConnection, name: str) -> bool:
    shards = await shard_catalog.registered(connection)
    return not any(shard.status == "active" and shard.name != name for shard in shards)


def _state(
    data: Data, shard: Shard, counts: dict[str, int], shares: dict[str, float]
) -> ShardState:
    nodes = data.registry.any_cluster(shard.name).nodes
    return ShardState(
        shard,
        counts.get(shard.name, 0),
        shares.get(shard.name, 0.0),
        tuple(NodeState(node.address.name, node.role) for node in nodes),
    )


async def _residency(data: Data, shard: str, client_id: UUID) -> tuple[int, str] | None:
    cluster = data.registry.any_cluster(shard)
    if not cluster.available:
        return None
    async with cluster.read() as connection:
        return await residency.state(connection, client_id)


def as_id(name: str) -> UUID | None:
    """The id that a name is, or None."""
    try:
        return UUID(name)
    except ValueError:
        return None
