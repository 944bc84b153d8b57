"""Every cluster as this process knows it at the moment; no server is asked for it.

Routers ask each node for its place once a second anyway. What they heard, and how their own
connections are used, is enough to see which node is away, behind or crowded.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from global_db.cluster import Cluster, Node, Role
from services.fleet.moving.disks import free_bytes
from services.fleet.readiness import State, readiness
from services.resources import Resources

DIRECTORY: Final = "global"


@dataclass(frozen=True, slots=True)
class PoolUse:
    """Connections of this process to one node."""

    size: int = 0
    idle: int = 0
    most: int = 0
    waiting: int = 0

    @property
    def busy(self) -> int:
        """Connections that somebody holds."""
        return self.size - self.idle


@dataclass(frozen=True, slots=True)
class NodeStanding:
    """One server. None: not known, or no replica.

    `behind_bytes`: of WAL, by the last answers of both, which may be a second apart. `lag_seconds`:
    what was acknowledged so long ago is shown; 0 when nothing is missing.
    """

    name: str
    address: str
    pooler: str | None
    role: Role
    timeline: int | None
    lsn: int | None
    behind_bytes: int | None
    lag_seconds: float | None
    pool: PoolUse


@dataclass(frozen=True, slots=True)
class ClusterStanding:
    """The global database or a shard. `free_bytes` of its smallest disk: None where this machine
    cannot see it."""

    name: str
    status: str
    weight: float
    state: State
    nodes: tuple[NodeStanding, ...]
    free_bytes: int | None

    @property
    def lag_seconds(self) -> float | None:
        """Of the replica that is farthest behind."""
        known = [one.lag_seconds for one in self.nodes if one.lag_seconds is not None]
        return max(known, default=None)


@dataclass(frozen=True, slots=True)
class FleetStanding:
    """All clusters, the global one first; `at`: seconds of this process's clock."""

    at: float
    directory: ClusterStanding
    shards: tuple[ClusterStanding, ...]

    @property
    def clusters(self) -> tuple[ClusterStanding, ...]:
        """Directory and shards."""
        return (self.directory, *self.shards)


def fleet_standing(resources: Resources) -> FleetStanding:
    """Look at everything once."""
    data, states = resources.data, readiness(resources)
    folder = resources.settings.moves.data_folder
    there = [one for one in data.registry.shards() if one.name in states.shards]
    return FleetStanding(
        time.monotonic(),
        _cluster(data.global_db, _Placed("active", 1, states.directory), folder),
        tuple(
            _cluster(
                data.registry.any_cluster(one.name),
                _Placed(one.status, one.weight, states.shards[one.name]),
                folder,
            )
            for one in there
            if one.status != "removed"
        ),
    )


@dataclass(frozen=True, slots=True)
class _Placed:
    """What the catalog says of a cluster, and whether it can be reached."""

    status: str
    weight: float
    state: State


def _cluster(cluster: Cluster, placed: _Placed, folder: Path | None) -> ClusterStanding:
    newest = max(
        (one.place.lsn for one in cluster.nodes if one.role is Role.PRIMARY and one.place),
        default=None,
    )
    return ClusterStanding(
        cluster.name,
        placed.status,
        placed.weight,
        placed.state,
        tuple(_node(cluster, node, newest) for node in cluster.nodes),
        free_bytes(folder, cluster),
    )


def _node(cluster: Cluster, node: Node, newest: int | None) -> NodeStanding:
    place, address = node.place, node.address
    known = place is not None and node.role is not Role.DOWN
    behind = None
    if place is not None and known and node.role is Role.REPLICA and newest is not None:
        behind = max(0, newest - place.lsn)
    pooler = address.pooler
    return NodeStanding(
        name=address.name,
        address=f"{address.host}:{address.port}",
        pooler=None if pooler is None else f"{pooler.host}:{pooler.port}",
        role=node.role,
        timeline=place.timeline if place is not None and known else None,
        lsn=place.lsn if place is not None and known else None,
        behind_bytes=behind,
        lag_seconds=None if behind is None else _lag(cluster, node, behind),
        pool=_pool(node),
    )


def _lag(cluster: Cluster, node: Node, behind: int) -> float | None:
    if not behind:
        return 0.0
    shown = cluster.shown_by(node)
    return None if shown is None else time.monotonic() - shown.asked_at


def _pool(node: Node) -> PoolUse:
    told = node.pool.get_stats()
    return PoolUse(
        size=told.get("pool_size", 0),
        idle=told.get("pool_available", 0),
        most=node.places,
        waiting=told.get("requests_waiting", 0),
    )
