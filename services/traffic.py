"""Telling the global database how often tenants were served, every few seconds.

It is off the path of requests: counts are taken from memory, and a round that the global database
does not take is lost. Rates then lag a little; nothing else depends on it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from global_db import client_statistics
from global_db.client_statistics import Served
from global_db.cluster import Cluster
from services import repeating
from shards.traffic import Taken, Traffic

_log = logging.getLogger(__name__)
EVERY_SECONDS = 10.0


async def tell(global_db: Cluster, traffic: Traffic) -> int:
    """Add what was counted to the rates, in one transaction; answers for how many tenants.

    Raises:
        ClusterError: the counts are lost.
    """
    taken = traffic.take()
    if taken.folded:
        _log.warning("%d requests of too many tenants were counted for none", taken.folded)
    served = _served(taken)
    if served:
        async with global_db.write() as connection:
            await client_statistics.add(connection, served)
    return len(served)


@asynccontextmanager
async def telling(
    global_db: Cluster, traffic: Traffic, every_seconds: float = EVERY_SECONDS
) -> AsyncIterator[None]:
    """Tell again and again while the block lasts, and once more in the end."""

    async with repeating.telling(
        lambda: tell(global_db, traffic), "what was served is counted for nobody", every_seconds
    ):
        yield


def _served(taken: Taken) -> list[Served]:
    clients = sorted(taken.reads.keys() | taken.writes.keys())
    return [
        Served(client, taken.reads.get(client, 0), taken.writes.get(client, 0))
        for client in clients
    ]
