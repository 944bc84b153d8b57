"""Asking one server who and where it is, over a connection of its own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import errors

from global_db.connection import RawConnection, deadline

_CONNECT_SECONDS = 3.0
# A server that answers nothing is not asked a second time: that would double the wait.
_AT_ONCE_SECONDS = 0.5

_PLACE = "SELECT *, docshard.life() AS life FROM docshard.place()"
# On a cluster that was set up before those functions were: a primary is known as one all the same.
_ROLE = """
    SELECT standby, NULL::timestamptz AS committed_at, 0::bigint AS lsn, 0::bigint AS system,
           NULL::bigint AS life,
           CASE WHEN NOT standby THEN
               ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int
           END AS timeline
      FROM (SELECT pg_is_in_recovery() AS standby) AS s
"""
_ANCESTORS = "SELECT timeline, ended_at FROM docshard.ancestors(%(timeline)s)"
_LACKING = (errors.UndefinedFunction, errors.InvalidSchemaName, errors.InsufficientPrivilege)


@dataclass(frozen=True, slots=True)
class Place:
    """What a server said of itself: see `docshard.place()`. `asked_at`: seconds of our clock.

    `system` is 0 where it lacks these functions: it cannot prove its place either.
    """

    asked_at: float
    standby: bool
    timeline: int | None
    lsn: int
    committed_at: datetime | None
    system: int
    life: int | None


class Probe:
    """Asks one server, one question at a time."""

    def __init__(self, conninfo: str, session: Mapping[str, Any]) -> None:
        self._conninfo = conninfo
        self._session = session
        self._connection: RawConnection | None = None

    async def ask(self, seconds: float) -> Place | None:
        """Where the server is; None when it does not answer within `seconds`.

        An old connection that turns out to be closed is no answer: a new one is tried at once.
        """
        was_connected = self._connection is not None
        asked = time.monotonic()
        found = await self._ask_once(seconds)
        closed = found is None and time.monotonic() - asked < _AT_ONCE_SECONDS
        return await self._ask_once(seconds) if was_connected and closed else found

    async def ancestors(self, timeline: int, seconds: float) -> dict[int, int] | None:
        """Where each ancestor of the timeline ended; None when the server cannot tell."""
        try:
            connection = await self._connected()
            with deadline(connection, seconds):
                cursor = await connection.execute(_ANCESTORS, {"timeline": timeline})
                rows = await cursor.fetchall()
        except (psycopg.Error, OSError, TimeoutError):
            await self.close()
            return None
        # The first timeline has none; of every other one there is a file.
        return {row["timeline"]: row["ended_at"] for row in rows} if rows or timeline == 1 else None

    async def close(self) -> None:
        """Drop the connection; the next question makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await connection.close()

    async def _ask_once(self, seconds: float) -> Place | None:
        try:
            connection = await self._connected()
            with deadline(connection, seconds):
                return await _place(connection)
        except (psycopg.Error, OSError, TimeoutError):
            await self.close()
            return None

    async def _connected(self) -> RawConnection:
        if self._connection is None:
            async with asyncio.timeout(_CONNECT_SECONDS):
                self._connection = await psycopg.AsyncConnection.connect(
                    self._conninfo, **self._session
                )
        return self._connection


async def _place(connection: RawConnection) -> Place | None:
    asked_at = time.monotonic()
    try:
        cursor = await connection.execute(_PLACE)
    except _LACKING:
        cursor = await connection.execute(_ROLE)
    row = await cursor.fetchone()
    return None if row is None else Place(asked_at, **row)
