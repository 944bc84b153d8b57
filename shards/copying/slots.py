"""Replication slots: made early, since that waits for old transactions, and always by name."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import LiteralString

import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from global_db.at_once import Work
from global_db.cluster import Cluster, Role
from global_db.connection import RawConnection, Row
from global_db.errors import ClusterError
from global_db.position import lsn_bytes
from global_db.servers import Servers
from global_db.statement import read, write
from shards.copying.batch import Mover, Stream
from shards.copying.errors import Unready
from shards.copying.sessions import change, failures, first, moving, session

# A new slot waits for every transaction that was running; the service's own end within seconds.
MAKE_SECONDS = 5.0
_DROP_SECONDS = 3.0

_MAKE = sql.SQL("CREATE_REPLICATION_SLOT {} LOGICAL pgoutput (SNAPSHOT {})")
_OLDEST: LiteralString = """
    SELECT pid, extract(epoch FROM clock_timestamp() - xact_start)::integer AS seconds
      FROM pg_stat_activity
     WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
    UNION ALL
    SELECT NULL, extract(epoch FROM clock_timestamp() - prepared)::integer FROM pg_prepared_xacts
     ORDER BY seconds DESC LIMIT 1
"""
_FIND: LiteralString = "SELECT active_pid FROM pg_replication_slots WHERE slot_name = %s"
_END: LiteralString = "SELECT pg_terminate_backend(%s)"
_slots = sa.table(
    "pg_replication_slots", sa.column("slot_name", sa.Text), sa.column("active", sa.Boolean)
)
# A read, since a standby has no other transactions. On one that has been promoted meanwhile nothing
# is dropped: there the slot may be a successor's.
_DROP_KEPT = read(
    sa.select(sa.func.pg_drop_replication_slot(_slots.c.slot_name)).where(
        _slots.c.slot_name == sa.bindparam("name", type_=sa.Text),
        ~_slots.c.active,
        sa.func.pg_is_in_recovery(),
    )
)
_DROP: LiteralString = "SELECT pg_drop_replication_slot(%s)"
# On 15 applied rows are flushed as they commit (synchronous_commit = local): this is behind them.
_advance = sa.cast(
    sa.func.pg_replication_slot_advance(
        sa.bindparam("name", type_=sa.Text), sa.func.pg_current_wal_flush_lsn()
    ),
    sa.Text,
)
_ADVANCE = write(sa.select(_advance.label("advanced")))


# From 16 on a subscriber asks for what came from nowhere else (origin = none): rows that were
# applied are not sent back, wherever the slot stands. Of CASE only the branch that is meant runs.
_ADVANCE_FOR_ECHO = write(
    sa.select(
        sa.case(
            (sa.cast(sa.func.current_setting("server_version_num"), sa.Integer) < 160_000, _advance)
        ).label("advanced")
    )
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the slot's stream begins behind; `lsn` in bytes from the WAL's start."""

    name: str
    lsn: int


@asynccontextmanager
async def exported(
    source: Cluster, mover: Mover, seconds: float = MAKE_SECONDS
) -> AsyncIterator[Snapshot]:
    """Make the forward slot anew, within so many seconds; its snapshot can be imported as long as
    the block lasts.

    Raises:
        Superseded, ClusterError.
        Unready: no slot is free, or a transaction that runs for seconds is in the way; says which.
    """
    async with _made(source, mover, mover.forward, "export", seconds) as row:
        yield Snapshot(row["snapshot_name"], lsn_bytes(row["consistent_point"]))


async def make_back(target: Cluster, mover: Mover) -> None:
    """Make the slot of the way back anew; its publication comes before:
    `publish(target, mover, batch, back=True)`.

    Raises:
        As `exported`.
    """
    async with _made(target, mover, mover.stream(back=True), "nothing", MAKE_SECONDS):
        pass


async def advance_back(target: Cluster, mover: Mover) -> None:
    """Let the way back begin behind everything that is written on the target now.

    Called before the fence: little is left to be decoded then, for `advance_for_echo` or whoever
    takes up the way back.

    Raises:
        Superseded, ClusterError.
        Unready: the slot is not there, or in use.
    """
    with advancing(target):
        await change(target, mover, Work(_ADVANCE, _back(mover)))


def advance_for_echo(mover: Mover) -> Work:
    """Behind the last marker, where it is needed: what the forward stream applied does not come
    back."""
    return Work(_ADVANCE_FOR_ECHO, _back(mover))


@contextmanager
def advancing(target: Servers) -> Iterator[None]:
    """Turn a slot that cannot be advanced into `Unready`."""
    try:
        yield
    except (psycopg.errors.ObjectInUse, psycopg.errors.UndefinedObject) as error:
        raise Unready(f"{target.name}: {error.diag.message_primary}") from error


async def drop(cluster: Cluster, mover: Mover, *, back: bool = False) -> None:
    """Drop the slot, if there is one; ends the session that holds it.

    Raises:
        Superseded, ClusterError.
        Unready: whoever holds it does not end.
    """
    await _drop_everywhere(cluster, mover, mover.stream(back=back))


@asynccontextmanager
async def _made(
    cluster: Cluster, mover: Mover, stream: Stream, snapshot: LiteralString, seconds: float
) -> AsyncIterator[Row]:
    await _drop_everywhere(cluster, mover, stream)
    # The snapshot lives in a transaction that idles for as long as the copy takes.
    conninfo = make_conninfo(
        cluster.login.direct(cluster.primary_address()),
        application_name=mover.application,
        options="-c idle_in_transaction_session_timeout=0",
    )
    with failures(cluster):
        async with await psycopg.AsyncConnection[Row].connect(
            conninfo, autocommit=True, row_factory=dict_row, replication="database"
        ) as walsender:
            command = _MAKE.format(sql.Identifier(stream.name), sql.Literal(snapshot))
            yield await _make(cluster, walsender, command, seconds)


async def _drop_everywhere(cluster: Cluster, mover: Mover, stream: Stream) -> None:
    """A primary that handed over in order has kept its slots: they hold WAL there, and come to
    light when it leads again. One that is away is left to the doctor."""
    async with session(cluster, mover) as connection, moving(connection, mover):
        await _drop(connection, cluster, stream)
    primary = cluster.primary()
    for node in cluster.nodes:
        if node is not primary and node.role is Role.REPLICA:
            with contextlib.suppress(ClusterError):
                async with cluster.read_on(node) as reading:
                    await reading.one(_DROP_KEPT, name=stream.name)


async def _make(
    cluster: Cluster, walsender: RawConnection, command: sql.Composed, seconds: float
) -> Row:
    try:
        async with asyncio.timeout(seconds):
            row = await (await walsender.execute(command)).fetchone()
    except TimeoutError as error:
        # It was cancelled, and the half-made slot has gone with it.
        raise Unready(f"{cluster.name}: {await _oldest(cluster)}") from error
    except psycopg.errors.ConfigurationLimitExceeded as error:
        raise Unready(f"{cluster.name}: no slot is free: raise max_replication_slots") from error
    if row is None:
        raise LookupError("the command answers one row")
    return row


def _back(mover: Mover) -> dict[str, str]:
    return {"name": mover.stream(back=True).name}


async def _oldest(cluster: Cluster) -> str:
    async with session(cluster) as connection:
        row = await first(connection, _OLDEST)
    if row is None:
        return "making a slot took too long"
    who = "a prepared transaction" if row["pid"] is None else f"a transaction of pid {row['pid']}"
    return f"{who} has been open for {row['seconds']} s, and a new slot waits for it: end it"


async def _drop(connection: RawConnection, cluster: Cluster, stream: Stream) -> None:
    deadline = time.monotonic() + _DROP_SECONDS
    while (row := await first(connection, _FIND, stream.name)) is not None:
        if row["active_pid"] is None and await _dropped(connection, stream):
            return
        await connection.execute(_END, [row["active_pid"]])
        if time.monotonic() > deadline:
            raise Unready(f"{cluster.name}: the slot {stream.name} stays in use")
        await asyncio.sleep(0.01)


async def _dropped(connection: RawConnection, stream: Stream) -> bool:
    """False when somebody took it meanwhile."""
    try:
        async with connection.transaction():
            await connection.execute(_DROP, [stream.name])
    except psycopg.errors.ObjectInUse:
        return False
    return True
