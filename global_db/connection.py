"""Sessions on one database: what may only read, what may write, and how a transaction ends.

Read-only is a type: a `ReadConnection` takes only `ReadStatement`s, and the type checker says so.
A transaction runs as one psycopg pipeline: statements are sent as they come and waited for only
where a result is read, so `BEGIN`, the fence and the first statement cost one round trip together.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from global_db.statement import ReadStatement, WriteStatement

Row = dict[str, Any]
RawConnection = psycopg.AsyncConnection[Row]
T = TypeVar("T")

# The servers' own statement_timeout is 5 s: who waits longer waits for a server that hangs.
WORK_SECONDS = 8.0
_COMMIT_SECONDS = 10.0
_ROLLBACK_SECONDS = 2.0

# READ COMMITTED whatever the server's default: the fence needs a fresh snapshot for each statement.
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
# Read after COMMIT, so the position is behind the commit record. The timeline comes from the WAL
# file's name: pg_control keeps the old one for seconds after a promotion.
_POSITION = """
    SELECT (p.lsn - '0/0'::pg_lsn)::bigint AS lsn,
           ('x' || substr(pg_walfile_name(p.lsn), 1, 8))::bit(32)::int AS timeline
      FROM (SELECT pg_current_wal_insert_lsn() AS lsn) AS p
"""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a cluster's WAL: `timeline` and `lsn` (bytes from the start)."""

    timeline: int
    lsn: int


class CommitInterrupted(Exception):
    """The connection failed while COMMIT was on its way: nobody knows whether it took effect."""


class ReadConnection:
    """A session that reads. Rows are dicts by column name."""

    def __init__(self, raw: RawConnection) -> None:
        self._raw = raw

    async def all(self, statement: ReadStatement, **parameters: Any) -> list[Row]:
        """Every row of the result."""
        cursor = await self._run(statement, parameters)
        return await cursor.fetchall()

    async def one(self, statement: ReadStatement, **parameters: Any) -> Row | None:
        """The first row, or None."""
        cursor = await self._run(statement, parameters)
        return await cursor.fetchone()

    async def _run(
        self, statement: ReadStatement, parameters: dict[str, Any]
    ) -> psycopg.AsyncCursor[Row]:
        return await self._raw.execute(
            statement.text, statement.fixed | parameters, prepare=statement.prepare
        )


class WriteConnection(ReadConnection):
    """A session inside a transaction that may write; made by `transaction`."""

    _position: Position | None = None

    @property
    def ended_at(self) -> Position:
        """Where the commit ended; known once the transaction's block was left."""
        if self._position is None:
            raise RuntimeError("the transaction has not committed yet")
        return self._position

    async def send(self, statement: WriteStatement, **parameters: Any) -> None:
        """Send a change without waiting; an error of it shows at the next read or at the commit."""
        await self._raw.execute(statement.text, statement.fixed | parameters)

    async def returning(self, statement: WriteStatement, **parameters: Any) -> Row | None:
        """Run a change and wait for its first returned row."""
        cursor = await self._raw.execute(statement.text, statement.fixed | parameters)
        return await cursor.fetchone()

    async def changed(self, statement: WriteStatement, **parameters: Any) -> list[Row]:
        """Run a change and wait for all rows it returns."""
        cursor = await self._raw.execute(statement.text, statement.fixed | parameters)
        return await cursor.fetchall()

    async def commit(self) -> None:
        """Commit, and learn the position of the commit in the same round trip.

        Raises:
            CommitInterrupted: no answer, or one that speaks of the connection and not of the
                transaction. A pooler in between reports the server's death as an error of its own.
        """
        try:
            with deadline(self._raw, _COMMIT_SECONDS):
                committed = await self._raw.execute("COMMIT")
                cursor = await self._raw.execute(_POSITION)
                row = await cursor.fetchone()
        except psycopg.OperationalError as error:
            if self._raw.closed or is_connection_failure(error):
                raise CommitInterrupted from error
            raise
        if committed.statusmessage != "COMMIT" or row is None:
            raise psycopg.errors.InFailedSqlTransaction("the transaction had failed before COMMIT")
        self._position = Position(**row)


@asynccontextmanager
async def transaction(raw: RawConnection) -> AsyncIterator[WriteConnection]:
    """One transaction on `raw`, committed when the block ends and rolled back when it raises.

    A caller that goes away while COMMIT is under way does not cancel it.

    Raises:
        CommitInterrupted: the connection was lost during COMMIT.
    """
    try:
        async with raw.pipeline():
            await raw.execute(_BEGIN)
            connection = WriteConnection(raw)
            # The deadline ends before COMMIT: whether that took effect is never guessed from time.
            with deadline(raw, WORK_SECONDS):
                yield connection
            await finish(connection.commit())
    except BaseException:
        await finish(_roll_back(raw))
        raise


def is_connection_failure(error: psycopg.Error) -> bool:
    """Whether an error says that the server or the way to it failed, not a statement.

    No SQLSTATE: the socket broke. 08: the connection failed. 57P: the server shuts down or starts.
    """
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))


@contextmanager
def deadline(raw: psycopg.AsyncConnection[Any], seconds: float) -> Iterator[None]:
    """Cut the connection when the block takes longer: its statements then fail as if it were lost.

    Cancelling instead would ask the server to agree, and one that hangs answers nothing: psycopg
    waits 10 s for that.
    """
    timer = asyncio.get_running_loop().call_later(seconds, _cut, raw)
    try:
        yield
    finally:
        timer.cancel()


def _cut(raw: psycopg.AsyncConnection[Any]) -> None:
    # The driver owns the socket; a duplicate reaches the same connection.
    with (
        contextlib.suppress(psycopg.Error, OSError),
        socket.socket(fileno=os.dup(raw.pgconn.socket)) as line,
    ):
        line.shutdown(socket.SHUT_RDWR)


async def _roll_back(raw: RawConnection) -> None:
    """Leave the connection clean for its pool, or closed: a server that hangs answers nothing."""
    if raw.closed or raw.info.transaction_status is TransactionStatus.IDLE:
        return
    try:
        with deadline(raw, _ROLLBACK_SECONDS):
            await raw.rollback()
    except psycopg.Error:
        await raw.close()


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` to its end even when the caller is cancelled meanwhile; then say so."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
