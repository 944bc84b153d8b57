"""Markers: rows that travel in the stream and prove that all before them has arrived."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from global_db.at_once import Done, Work
from global_db.cluster import Cluster
from global_db.servers import Servers
from global_db.statement import read, write
from shards.copying.batch import Mover
from shards.copying.errors import Severed, Unready
from shards.copying.sessions import change
from shards.move_tables import move_markers

# Raised by await_marker; see migrations/sql/0009_switch.sql.
_NOT_THERE = "DS014"
# A pooled connection is lent for less than a read may take.
_LENT_SECONDS = 1.0

_STREAM = sa.bindparam("stream", type_=sa.Uuid)
_NUMBER = sa.bindparam("number", type_=sa.BigInteger)
_NAME = sa.bindparam("name", type_=sa.Text)

_newest = sa.func.coalesce(sa.func.max(move_markers.c.number), 0) + 1
_PUT = write(
    insert(move_markers)
    .from_select(
        ["move_id", "number"],
        sa.select(_STREAM, _newest).where(move_markers.c.move_id == _STREAM),
    )
    .on_conflict_do_nothing()
    .returning(move_markers.c.number)
)
_awaited = sa.func.docshard.await_marker(
    _STREAM, _NUMBER, sa.bindparam("patience", type_=sa.Integer)
)
_AWAIT = read(sa.select(_awaited.label("awaited")))
_AWAIT_TO_WRITE = write(sa.select(_awaited.label("awaited")))
_subscription = sa.table(
    "pg_stat_subscription_stats", sa.column("subname"), sa.column("apply_error_count")
)
_worker = sa.table("pg_stat_subscription", sa.column("subname"), sa.column("pid"))
_FARES = read(
    sa.select(
        sa.select(_subscription.c.apply_error_count)
        .where(_subscription.c.subname == _NAME)
        .scalar_subquery()
        .label("errors"),
        sa.exists().where(_worker.c.subname == _NAME, _worker.c.pid.is_not(None)).label("working"),
    )
)
_slot = sa.table(
    "pg_replication_slots",
    sa.column("slot_name"),
    sa.column("confirmed_flush_lsn"),
    sa.column("wal_status"),
)
_LAG = read(
    sa.select(
        sa.cast(
            sa.func.pg_wal_lsn_diff(sa.func.pg_current_wal_lsn(), _slot.c.confirmed_flush_lsn),
            sa.BigInteger,
        ).label("lag"),
        _slot.c.wal_status,
    ).where(_slot.c.slot_name == _NAME)
)


class NotArrived(Exception):
    """The marker was not applied in time; `fares` tells why."""


async def put(source: Cluster, mover: Mover) -> int:
    """Put the next marker into the forward stream; answers its number.

    Raises:
        Superseded, ClusterError.
    """
    # Of two at once one waits for the other, inserts nothing, and then sees the other's number.
    while not (number := put_by(await change(source, mover, putting(mover)))):
        pass
    return number


def putting(mover: Mover) -> Work:
    """The next marker as the last part of a transaction that does something else as well."""
    return Work(_PUT, {"stream": mover.forward.move_id})


def put_by(done: Done) -> int:
    """The number of the marker that such a transaction put; 0 when another came in between."""
    return int(done.rows[-1][0]["number"]) if done.rows[-1] else 0


def awaiting(mover: Mover, number: int, seconds: float) -> Work:
    """What lets the rest of a transaction wait for the marker, on the target; see `arriving`."""
    return Work(_AWAIT_TO_WRITE, _values(mover, number, seconds))


@contextmanager
def arriving() -> Iterator[None]:
    """Turn a marker's absence into `NotArrived`."""
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate != _NOT_THERE:
            raise
        raise NotArrived from error


async def await_(target: Cluster, mover: Mover, number: int, seconds: float) -> None:
    """Wait until the marker has been applied on the target: then everything before it has been.

    Raises:
        Unready: not within `seconds`; says how the subscription fares.
        ClusterError.
    """
    deadline = time.monotonic() + seconds
    while not await _arrives(
        target, mover, number, min(_LENT_SECONDS, deadline - time.monotonic())
    ):
        if time.monotonic() >= deadline:
            raise Unready(f"{target.name}: {await fares(target, mover)}")


async def pass_through(source: Cluster, target: Cluster, mover: Mover, seconds: float) -> None:
    """Put a marker into the forward stream and wait until it has been applied, as long as the
    stream can bring it.

    Raises:
        Severed: it never will.
        Unready: not within `seconds`.
        Superseded, ClusterError.
    """
    number = await put(source, mover)
    deadline = time.monotonic() + seconds
    while True:
        left = max(deadline - time.monotonic(), 0.0)
        try:
            await await_(target, mover, number, min(left, _LENT_SECONDS))
        except Unready:
            await lag(source, mover)
            if left == 0.0:
                raise
        else:
            return


async def lag(source: Cluster, mover: Mover) -> int:
    """How many bytes of WAL the forward stream's subscriber has not confirmed.

    Raises:
        Severed: the slot is not there or was given up.
        ClusterError.
    """
    async with source.read() as connection:
        row = await connection.one(_LAG, name=mover.forward.name)
    if row is None or row["wal_status"] == "lost":
        raise Severed(f"{source.name}: the slot {mover.forward.name} is lost")
    return max(0, int(row["lag"]))


async def _arrives(target: Cluster, mover: Mover, number: int, seconds: float) -> bool:
    try:
        with arriving():
            async with target.read() as connection:
                await connection.one(_AWAIT, **_values(mover, number, seconds))
    except NotArrived:
        return False
    return True


def _values(mover: Mover, number: int, seconds: float) -> dict[str, Any]:
    patience = max(0, round(seconds * 1000))
    return {"stream": mover.forward.move_id, "number": number, "patience": patience}


async def fares(target: Servers, mover: Mover) -> str:
    """How the forward stream's subscription fares, in words for people."""
    name = mover.forward.name
    async with target.read() as connection:
        row: dict[str, Any] = await connection.one(_FARES, name=name) or {}
    if row.get("errors"):
        return f"{name} failed to apply {row['errors']} times: see the server's log"
    if not row.get("working"):
        return f"no worker applies {name}: is max_logical_replication_workers large enough?"
    return f"{name} is behind"
