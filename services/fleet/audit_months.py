"""Settling and detaching months of audit logs, while no move of the shard is under way.

A move copies what its source has attached, and its streams know partitions as they were. So whoever
changes partitions holds a lease that a new move waits for, and looks for living moves once it is
held: what began before is seen, what begins later waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from typing import TypeVar

import psycopg

from global_db import leases, partitions
from global_db.cluster import Cluster
from global_db.errors import ClusterError, LockNotAvailable
from global_db.partitions import MonthNotReady
from services.resources import Data

T = TypeVar("T")

_log = logging.getLogger(__name__)
_ATTEMPTS = 10


@asynccontextmanager
async def unmoving(data: Data, cluster: Cluster) -> AsyncIterator[bool]:
    """Keep moves of this cluster from beginning; False while one is under way."""
    name = partitions.lease_name(cluster.name)
    async with leases.hold(data.global_db, name) as lease:
        if lease is None:
            yield False
            return
        async with data.global_db.read() as connection:
            moving = await partitions.has_moves(connection, cluster.name)
        yield not moving


async def settle(data: Data, cluster: Cluster) -> list[date]:
    """Give rows in DEFAULT the months they lack; answers the months that could not be had now."""
    async with cluster.read() as connection:
        stray = await partitions.stray(connection)
    if not stray:
        return []
    async with unmoving(data, cluster) as held:
        if not held:
            _log.warning("%s: rows in DEFAULT wait for a move to end", cluster.name)
            return stray
        return [month for month in stray if not await _settled(cluster, month)]


async def _settled(cluster: Cluster, month: date) -> bool:
    try:
        rows = await partitions.settle(cluster, month)
    except (ClusterError, MonthNotReady, psycopg.Error) as error:
        _log.warning("%s: %s of DEFAULT stays for the next time: %s", cluster.name, month, error)
        return False
    _log.info("%s: %d rows of DEFAULT have their month %s", cluster.name, rows, month)
    return True


async def patiently(change: Callable[[], Awaitable[T]]) -> T:
    """Try a change of the log's root again while others have it locked: each wait is short.

    Raises:
        LockNotAvailable: still locked after several tries.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return await change()
        except LockNotAvailable:
            # Who queued behind our wait goes first.
            await asyncio.sleep(0.2)
    return await change()
