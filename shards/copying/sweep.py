"""Removing what has moved away."""

from __future__ import annotations

from global_db.cluster import Cluster
from shards.copying.batch import Batch, Gate, Mover


async def sweep(cluster: Cluster, mover: Mover, batch: Batch, gate: Gate) -> int:
    """Delete the batch's rows where it is `gone` because of this move; answers how many rows.

    On the source after a move, on the target after an abort. Each transaction deletes a range of
    keys and checks `gone` anew; the `gone` rows stay. No subscription may listen any more.

    Raises:
        Superseded: a tenant is not `gone` because of this move.
        ClusterError, and whatever `gate` raises.
    """
    raise NotImplementedError
