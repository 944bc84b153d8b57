"""What clients store and how often they are served, for operators."""

from __future__ import annotations

from typing import get_args
from uuid import UUID

from global_db import client_statistics
from global_db.client_statistics import ClientStatistics, Order, ShardStatistics
from services.failures import global_failures
from services.resources import Data

__all__ = ["ORDERS", "ClientStatistics", "Order", "ShardStatistics", "top_clients"]

ORDERS: tuple[Order, ...] = get_args(Order)


async def top_clients(data: Data, order: Order, limit: int) -> list[ClientStatistics]:
    """The clients with most of something, from what was measured and told last.

    Raises:
        DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            return await client_statistics.top(connection, order, limit)


async def statistics_of(data: Data, client_id: UUID) -> ClientStatistics | None:
    """What is known of one client; None: there is none.

    Raises:
        DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            return await client_statistics.of(connection, client_id)


async def shard_statistics(data: Data) -> dict[str, ShardStatistics]:
    """What the clients of each shard have together, by shard; it reads every client's row.

    Raises:
        DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            found = await client_statistics.by_shard(connection)
    return {one.shard: one for one in found}
