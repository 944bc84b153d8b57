"""A row of each minute, on every cluster: a drill looks which of them have come back."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Final

from global_db import canaries
from global_db.canaries import KEPT, Canary
from global_db.cluster import Cluster
from global_db.errors import ClusterError
from services.failures import global_failures, tenant_failures
from services.resources import Data

__all__ = ["EVERY_SECONDS", "KEPT", "Canary", "since", "sing"]

_log = logging.getLogger(__name__)
EVERY_SECONDS: Final = 60.0
_GLOBAL: Final = "global"


async def sing(data: Data) -> int:
    """Write this minute's rows; answers on how many clusters. One that is away has none."""
    clusters = [data.global_db]
    clusters += [data.registry.any_cluster(shard.name) for shard in data.registry.shards()]
    return sum(await asyncio.gather(*map(_sing, clusters)))


async def since(data: Data, cluster: str, moment: datetime) -> list[Canary]:
    """What the living cluster has, oldest first.

    Raises:
        NotFound, ShardUnavailable, DirectoryUnavailable.
    """
    with global_failures(), tenant_failures():
        await data.registry.refresh()
        living = data.global_db if cluster == _GLOBAL else data.registry.any_cluster(cluster)
        async with living.read() as connection:
            return await canaries.since(connection, moment)


async def _sing(cluster: Cluster) -> bool:
    try:
        async with cluster.write() as connection:
            await canaries.sing(connection)
    except ClusterError as error:
        _log.warning("no canary of this minute: %s", error)
        return False
    return True
