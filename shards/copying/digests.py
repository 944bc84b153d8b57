"""Proof that source and target hold the same rows, while the source is written to."""

from __future__ import annotations

from dataclasses import dataclass

from global_db.cluster import Cluster
from shards.copying.batch import Batch, Gate, Mover


@dataclass(frozen=True, slots=True)
class Verified:
    """Rows and chunks compared; `rechecked` chunks differed at first, because of writers."""

    rows: int
    chunks: int
    rechecked: int


async def verify(
    source: Cluster, target: Cluster, mover: Mover, batch: Batch, gate: Gate
) -> Verified:
    """Compare every row of the batch, in chunks of at most 10,000; no snapshot is held long.

    Raises:
        Diverged: a row differs and stays so.
        Superseded, Unready, ClusterError, and whatever `gate` raises.
    """
    raise NotImplementedError
