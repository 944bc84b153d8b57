"""Markers: rows that travel in the stream and prove that all before them has arrived."""

from __future__ import annotations

from global_db.cluster import Cluster
from shards.copying.batch import Mover


async def put(source: Cluster, mover: Mover) -> int:
    """Put the next marker into the forward stream; answers its number.

    Raises:
        Superseded, ClusterError.
    """
    raise NotImplementedError


async def await_(target: Cluster, mover: Mover, number: int, seconds: float) -> None:
    """Wait until the marker has been applied on the target: then everything before it has been.

    Raises:
        Unready: not within `seconds`; says how the subscription fares.
        ClusterError.
    """
    raise NotImplementedError


async def lag(source: Cluster, mover: Mover) -> int:
    """How many bytes of WAL the forward stream's subscriber has not confirmed.

    Raises:
        Unready: the slot is not there or was given up.
        ClusterError.
    """
    raise NotImplementedError
