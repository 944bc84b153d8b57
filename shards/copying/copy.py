"""The copy of a batch: binary COPY out of the slot's snapshot, piped into the target."""

from __future__ import annotations

from dataclasses import dataclass

from global_db.cluster import Cluster
from shards.copying.batch import Batch, Gate, Mover
from shards.copying.slots import Snapshot


@dataclass(frozen=True, slots=True)
class Copied:
    """Rows and bytes that were copied."""

    rows: int
    bytes: int


async def copy_batch(
    source: Cluster, target: Cluster, mover: Mover, batch: Batch, snapshot: Snapshot, gate: Gate
) -> Copied:
    """Copy every tenant table's rows of the batch into the target, which must be wiped.

    Raises:
        Superseded, ClusterError, and whatever `gate` raises.
        Unready: the batch is not `importing` on the target for this move.
    """
    raise NotImplementedError


async def wipe(target: Cluster, mover: Mover, batch: Batch, gate: Gate) -> int:
    """Delete what a former attempt left on the target, markers too; answers how many rows.

    Only where the batch is `importing` for this move, which each transaction checks anew.

    Raises:
        As `copy_batch`.
    """
    raise NotImplementedError
