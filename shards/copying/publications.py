"""What a shard publishes of a batch: made and dropped by the superuser's functions."""

from __future__ import annotations

from global_db.cluster import Cluster
from shards.copying.batch import Batch, Mover


async def publish(source: Cluster, mover: Mover, batch: Batch, *, back: bool = False) -> None:
    """Publish the batch's rows of every tenant table, and the move's markers; made anew if there.

    Before the slot is made: it decodes with the publications of its own time.

    Raises:
        Superseded, ClusterError.
    """
    raise NotImplementedError


async def unpublish(cluster: Cluster, mover: Mover, *, back: bool = False) -> None:
    """Drop the publication, if there is one. After its slot.

    Raises:
        Superseded, ClusterError.
    """
    raise NotImplementedError
