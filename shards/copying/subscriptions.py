"""A shard's subscription to another one: made and dropped by the superuser's functions."""

from __future__ import annotations

from global_db.cluster import Cluster
from shards.copying.batch import Mover


async def subscribe(
    target: Cluster, mover: Mover, source_conninfo: str, *, back: bool = False
) -> None:
    """Apply the stream on this shard from where its slot stands; made anew if there.

    With `back` it is the source that subscribes to the target. `source_conninfo` is the direct
    address of the publishing primary with the mover's password, which no log and no error shows.

    Raises:
        Superseded, ClusterError.
        Unready: the publisher cannot be reached from that server, or no worker is free.
    """
    raise NotImplementedError


async def unsubscribe(target: Cluster, mover: Mover, *, back: bool = False) -> None:
    """Drop the subscription, if there is one; its slot on the other shard stays.

    When it returns nothing is applied any more.

    Raises:
        Superseded, ClusterError.
    """
    raise NotImplementedError
