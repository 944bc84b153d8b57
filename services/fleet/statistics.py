"""What clients store and how often they are served, for operators."""

from __future__ import annotations

from typing import get_args

from global_db import client_statistics
from global_db.client_statistics import ClientStatistics, Order
from services.failures import global_failures
from services.resources import Data

__all__ = ["ORDERS", "ClientStatistics", "Order", "top_clients"]

ORDERS: tuple[Order, ...] = get_args(Order)


async def top_clients(data: Data, order: Order, limit: int) -> list[ClientStatistics]:
    """The clients with most of something, from what was measured and told last.

    Raises:
        DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            return await client_statistics.top(connection, order, limit)
