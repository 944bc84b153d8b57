"""Months of an audit log: made ahead, settled when their rows came first, detached and dropped.

The same functions stand in every database; what they promise is told in the migrations.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, LiteralString

import psycopg
import sqlalchemy as sa
from psycopg.rows import dict_row

from global_db.cluster import Cluster
from global_db.connection import ReadConnection, Row, WriteConnection
from global_db.errors import ClusterUnavailable, LockNotAvailable
from global_db.move_tables import moves
from global_db.statement import read, write

# Settling moves a month's rows, dropping counts them: a statement's usual time is short for that.
_PATIENT = "SET statement_timeout = '30min'; SET idle_in_transaction_session_timeout = '1min'"

_MAKE = write(
    sa.select(
        sa.func.docshard.make_audit_partition(sa.bindparam("day", type_=sa.Date)).label("made")
    )
)
# Whoever comes second waits here, and its next statement sees the month that the first has made;
# two at once inside the function would meet in the catalogue, with errors of many kinds.
_ALONE = write(sa.select(sa.func.pg_advisory_xact_lock(7346, sa.func.hashtext("make a month"))))
_STRAY = read(sa.select(sa.func.docshard.stray_audit_months(type_=sa.Date).column_valued("month")))
_MONTHS = read(
    sa.select(
        sa.func.docshard.audit_months().table_valued(
            sa.column("month", sa.Date), sa.column("attached", sa.Boolean), name="found"
        )
    )
)
_SHARD = sa.bindparam("shard", type_=sa.Text)
_MOVES = read(
    sa.select(
        sa.exists().where(
            moves.c.state != "swept",
            moves.c.state != "aborted",
            sa.or_(moves.c.source == _SHARD, moves.c.target == _SHARD),
        )
    )
)


class MonthNotReady(Exception):
    """The month's table is not as the step needs it; the message says how."""


@dataclass(frozen=True, slots=True)
class Month:
    """A month that has a table: a partition of the log, or one that was detached."""

    month: date
    attached: bool


def lease_name(cluster: str) -> str:
    """The lease under which partitions of a cluster are settled and detached: moves await it."""
    return f"partitions of {cluster}"


async def make(connection: WriteConnection, day: date) -> bool:
    """Make the partition of the month that holds `day`; False when it is there already.

    The caller tries again after a `LockNotAvailable`: the lock is asked for with a short wait, so
    that inserts never queue behind it.
    """
    await connection.returning(_ALONE)
    row = await connection.returning(_MAKE, day=day)
    return row is not None and bool(row["made"])


async def stray(connection: ReadConnection) -> list[date]:
    """The months that rows of the DEFAULT partition are of."""
    return [row["month"] for row in await connection.all(_STRAY)]


async def months(connection: ReadConnection) -> list[Month]:
    """The months that have a table, oldest first."""
    return [Month(**row) for row in await connection.all(_MONTHS)]


async def has_moves(connection: ReadConnection, shard: str) -> bool:
    """Whether a move that is not over leaves or enters this shard; of the global database."""
    row = await connection.one(_MOVES, shard=shard)
    return row is not None and bool(next(iter(row.values())))


async def settle(cluster: Cluster, month: date) -> int:
    """Give the month's rows in DEFAULT the partition they lack; answers how many there were.

    Raises:
        MonthNotReady, LockNotAvailable, ClusterUnavailable.
    """
    return int(await _patiently(cluster, "SELECT docshard.settle_audit_month(%s) AS it", month))


async def detach(cluster: Cluster, month: date) -> bool:
    """Take a month out of the log; False when it is out already.

    Raises:
        MonthNotReady, LockNotAvailable, ClusterUnavailable.
    """
    return bool(await _patiently(cluster, "SELECT docshard.detach_audit_month(%s) AS it", month))


async def drop(cluster: Cluster, month: date, rows: int) -> bool:
    """Drop a detached month of exactly so many rows; False when it is gone already.

    Raises:
        MonthNotReady, LockNotAvailable, ClusterUnavailable.
    """
    question: LiteralString = "SELECT docshard.drop_audit_month(%s, %s) AS it"
    return bool(await _patiently(cluster, question, month, rows))


async def _patiently(cluster: Cluster, question: LiteralString, *values: Any) -> Any:
    """Ask over a connection of its own, past any pooler, with time enough."""
    await cluster.settle()
    conninfo = cluster.login.direct(cluster.primary_address())
    try:
        async with await psycopg.AsyncConnection[Row].connect(
            conninfo, autocommit=True, row_factory=dict_row
        ) as connection:
            await connection.execute(_PATIENT)
            row = await (await connection.execute(question, values)).fetchone()
    except psycopg.errors.LockNotAvailable as error:
        raise LockNotAvailable(cluster.name, "the audit log's root is locked by others") from error
    except psycopg.OperationalError as error:
        raise ClusterUnavailable(cluster.name, "the connection failed") from error
    except psycopg.Error as error:
        if error.sqlstate == "DS009":
            raise MonthNotReady(str(error).splitlines()[0]) from error
        raise
    return None if row is None else row["it"]
