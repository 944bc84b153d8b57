"""Use cases of operators on shards and placements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from global_db import clients, directory, shard_catalog
from global_db.cluster import NodeAddress, Role
from global_db.shard_catalog import Shard
from services.audit import Event, record_global
from services.errors import NotFound
from services.failures import global_failures
from services.principal import Caller, Origin, Principal
from services.resources import Data
from shards import residency

__all__ = ["Located", "NodeAddress", "NodeState", "Shard", "ShardState"]

# Whoever runs an operator's command is known to the machine, not to the users table.
_OPERATOR = UUID(int=0)


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
    """Where a client lives: the directory's word, the shard's (None: it did not answer or has no
    row), and the home that the ring proposes."""

    client_id: UUID
    code: str
    name: str
    shard: str
    epoch: int
    pinned: bool
    home: str
    residency: tuple[int, str] | None


async def register_shard(
    data: Data, name: str, nodes: Sequence[NodeAddress], weight: float = 1
) -> Shard:
    """Make a shard known, or give it new addresses. It moves nobody and migrates nothing."""
    with global_failures():
        async with data.global_db.write() as connection:
            return await shard_catalog.register(connection, name, nodes, weight)


async def shard_states(data: Data) -> list[ShardState]:
    """Every registered shard with what is on it."""
    with global_failures():
        await data.registry.refresh()
        async with data.global_db.read() as connection:
            counts = await directory.clients_by_shard(connection)
    shares = _shares(data)
    return [_state(data, shard, counts, shares) for shard in data.registry.shards()]


async def locate(data: Data, client_id: UUID) -> Located:
    """Where a client lives, as the directory and the shard itself say.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    with global_failures():
        await data.registry.refresh()
        async with data.global_db.read() as connection:
            client = await clients.get(connection, client_id)
    if client is None:
        raise NotFound(f"There is no client {client_id}.")
    return Located(
        client.id,
        client.code,
        client.name,
        client.shard,
        client.epoch,
        client.pinned,
        data.registry.ring().home(client_id),
        await _residency(data, client.shard, client_id),
    )


async def list_clients(
    data: Data, wanted: clients.ClientFilter, before: UUID | None, limit: int
) -> list[clients.Client]:
    """A page of living clients, newest first."""
    with global_failures():
        async with data.global_db.read() as connection:
            return await clients.newest(connection, wanted, before, limit)


async def set_pin(data: Data, client_id: UUID, *, pinned: bool, reason: str | None) -> str:
    """Pin a client to the shard it lives on, or release it; answers the shard.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    caller = Caller(Principal(_OPERATOR, None, ()), Origin(reason=reason))
    action = "client.pin" if pinned else "client.unpin"
    with global_failures():
        async with data.global_db.write() as connection:
            shard = await directory.set_pin(connection, client_id, pinned=pinned)
            if shard is None:
                raise NotFound(f"There is no client {client_id}.")
            event = Event(action, "client", client_id, {"pinned": not pinned}, {"pinned": pinned})
            await record_global(connection, caller, event, client_id)
    return shard


def _shares(data: Data) -> dict[str, float]:
    return data.registry.ring().shares() if data.registry.shards() else {}


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
