"""Which generation of a move may change a shard. See migrations/sql/0008_moving.sql."""

from __future__ import annotations

from dataclasses import dataclass

from global_db.cluster import Cluster
from shards.copying.batch import Mover


@dataclass(frozen=True, slots=True)
class Place:
    """Which database system a shard's primary is, and on which timeline it writes."""

    system: int
    timeline: int


async def claim(cluster: Cluster, mover: Mover) -> Place:
    """Make this generation the only one that may change the shard; ends sessions of older ones.

    When it returns, nothing of an older generation is under way here, and nothing will be.

    Raises:
        Superseded: a newer generation has claimed it.
        Unready: a session of an older one does not end.
        ClusterError.
    """
    raise NotImplementedError


async def place(cluster: Cluster) -> Place:
    """Where the shard's primary stands now: another answer than before is a failover.

    Raises:
        ClusterError.
    """
    raise NotImplementedError
