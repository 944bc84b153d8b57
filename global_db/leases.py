"""Leases on named jobs: an advisory lock on the global primary, held by a connection of its own.

A holder that dies loses its connection and with it the lock; nothing has to expire by clock. The
lock keeps two workers from doing the same work, not from harm: jobs are safe to run twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from global_db.cluster import Cluster

_SPACE = 7346  # our own corner of the advisory locks' two-key space


class Lease:
    """A held lease."""

    def __init__(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        self._connection = connection

    async def alive(self) -> bool:
        """Whether the lease is still ours: the connection that holds it answers."""
        try:
            await self._connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True


@asynccontextmanager
async def hold(cluster: Cluster, name: str) -> AsyncIterator[Lease | None]:
    """Hold the lease `name` until the block ends; None when another process holds it.

    Raises:
        ClusterUnavailable, psycopg.OperationalError: the global primary cannot be reached.
    """
    conninfo = cluster.login.direct(cluster.primary_address())
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        cursor = await connection.execute(
            "SELECT pg_try_advisory_lock(%s, hashtext(%s))", [_SPACE, name]
        )
        row = await cursor.fetchone()
        yield Lease(connection) if row is not None and row[0] else None
