"""Sessions on one database: what may only read, what may write, and how a transaction ends.

Read-only is a type: a `ReadConnection` takes only `ReadStatement`s, and the type checker says so.
How a transaction goes to the server in few messages stands in `global_db.transaction`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Coroutine
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import tuple_row

from global_db.position import Position
from global_db.prelude import Prelude, RawConnection, Row, run_behind
from global_db.statement import ReadStatement, WriteStatement
from global_db.timing import note_statement

__all__ = [
    "BEGIN",
    "COMMIT",
    "WORK_SECONDS",
    "Answer",
    "CommitInterrupted",
    "Prelude",
    "RawConnection",
    "ReadConnection",
    "Row",
    "Sent",
    "WriteConnection",
    "cut",
    "deadline",
    "finish",
    "is_connection_failure",
    "roll_back",
]

T = TypeVar("T")

# The servers' own statement_timeout is 5 s: who waits longer waits for a server that hangs.
WORK_SECONDS = 8.0
_ROLLBACK_SECONDS = 2.0

# READ COMMITTED whatever the server's default: the fence needs a fresh snapshot for each statement.
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
# One message, so one round trip; `Position.told` reads its answer. `lsn` is read after COMMIT, so
# it is behind the commit record, and it is what is flushed rather than what is inserted: other
# sessions' records that wait for the WAL writer reach no replica meanwhile, and a place that ends a
# page is never reached as an insert position. Only a session that does not wait for its own flush
# needs the latter. The timeline comes from the name of the WAL file that is written now: pg_control
# keeps the old one for seconds after a promotion. Nothing is calculated here: it is planned anew
# with each transaction, and each operator and cast is looked up.
COMMIT = """
    SELECT pg_current_wal_insert_lsn() AS written, pg_current_xact_id_if_assigned() AS xid;
    COMMIT;
    SELECT CASE current_setting('synchronous_commit') WHEN 'off'
           THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_flush_lsn() END AS lsn,
           pg_walfile_name(pg_current_wal_insert_lsn()) AS file
"""


class CommitInterrupted(Exception):
    """The connection failed while COMMIT was on its way: nobody knows whether it took effect."""


class ReadConnection:
    """A session that reads. Rows are dicts by column name."""

    def __init__(self, raw: RawConnection, prelude: Prelude | None = None) -> None:
        self._raw = raw
        self._prelude = prelude

    async def all(self, statement: ReadStatement, **parameters: Any) -> list[Row]:
        """Every row of the result."""
        cursor = await self._run(statement, parameters)
        return await cursor.fetchall()

    async def one(self, statement: ReadStatement, **parameters: Any) -> Row | None:
        """The first row, or None."""
        cursor = await self._run(statement, parameters)
        return await cursor.fetchone()

    async def tuples(self, statement: ReadStatement, **parameters: Any) -> list[tuple[Any, ...]]:
        """Every row, its values in the order of the statement's columns: for many rows of many
        columns, where a dict of each costs more than what is made of it."""
        cursor: psycopg.AsyncCursor[Any] = await self._run(statement, parameters)
        cursor.row_factory = tuple_row
        return await cursor.fetchall()

    async def _run(
        self, statement: ReadStatement, parameters: dict[str, Any]
    ) -> psycopg.AsyncCursor[Row]:
        began = time.perf_counter()
        cursor = await self._answered(statement, statement.fixed | parameters)
        note_statement(statement.text, began)
        return cursor

    async def _answered(
        self, statement: ReadStatement, values: dict[str, Any]
    ) -> psycopg.AsyncCursor[Row]:
        text = self._alone(statement, values)
        if text is None and self._prelude is not None:
            return await run_behind(self._raw, self._prelude, statement.text, values)
        return await self._raw.execute(text or statement.text, values, prepare=statement.prepare)

    def _alone(self, statement: ReadStatement, values: dict[str, Any]) -> str | None:
        """The text to send, where it goes alone; None when the prelude goes before it.

        What the prelude has found already is demanded in the statement, by one more value.
        """
        prelude = self._prelude
        if prelude is None:
            return statement.text
        if prelude.life is None or statement.in_life is None:
            return None
        values["life"] = prelude.life
        return statement.in_life


@dataclass(slots=True)
class Sent:
    """A statement that was sent, or waits to be. `rows`: what it returned, where that was asked."""

    text: str
    values: dict[str, Any]
    asked: bool = False
    rows: list[Row] | None = None


class Answer:
    """What a statement that was sent will return."""

    def __init__(self, connection: WriteConnection, sent: Sent) -> None:
        self._connection = connection
        self._sent = sent

    async def rows(self) -> list[Row]:
        """All of it; what was sent before and behind it goes along with the same wait."""
        if self._sent.rows is None:
            await self._connection.settle()
        if self._sent.rows is None:
            raise RuntimeError("the transaction is over")
        return self._sent.rows


class WriteConnection(ReadConnection):
    """A session inside a transaction that may write. This one sends every statement at once, for
    who made the transaction by other means; `transaction` makes one that gathers them."""

    _position: Position | None = None

    @property
    def ended_at(self) -> Position:
        """Where the commit ended; known once the transaction's block was left."""
        if self._position is None:
            raise RuntimeError("the transaction has not committed yet")
        return self._position

    async def send(self, statement: WriteStatement, **parameters: Any) -> None:
        """Send a change without waiting; an error of it shows at the next read or at the end."""
        await self._send(Sent(statement.text, statement.fixed | parameters))

    async def returning(self, statement: WriteStatement, **parameters: Any) -> Row | None:
        """Run a change and wait for its first returned row."""
        began = time.perf_counter()
        values = statement.fixed | parameters
        cursor = await self._raw.execute(statement.text, values)
        note_statement(statement.text, began)
        return await cursor.fetchone()

    async def changed(self, statement: WriteStatement, **parameters: Any) -> list[Row]:
        """Run a change and wait for all rows it returns."""
        return await (await self.ask(statement, **parameters)).rows()

    async def ask(self, statement: WriteStatement, **parameters: Any) -> Answer:
        """Send a change; the rows it returns are waited for where they are read."""
        sent = Sent(statement.text, statement.fixed | parameters, asked=True)
        await self._send(sent)
        return Answer(self, sent)

    async def settle(self) -> None:
        """Wait for the answers to all that was sent."""

    async def _send(self, sent: Sent) -> None:
        began = time.perf_counter()
        cursor = await self._raw.execute(sent.text, sent.values)
        note_statement(sent.text, began)
        if sent.asked:
            sent.rows = await cursor.fetchall()


def is_connection_failure(error: psycopg.Error) -> bool:
    """Whether an error says that the server or the way to it failed, not a statement.

    No SQLSTATE: the socket broke. 08: the connection failed. 57P: the server shuts down or starts.
    """
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))


def deadline(raw: psycopg.AsyncConnection[Any], seconds: float) -> AbstractContextManager[None]:
    """Cut the connection when the block takes longer: its statements then fail as if it were lost.

    Cancelling instead would ask the server to agree, and one that hangs answers nothing: psycopg
    waits 10 s for that.
    """
    return _Deadline(raw, seconds)


class _Deadline:
    __slots__ = ("_raw", "_seconds", "_timer")

    def __init__(self, raw: psycopg.AsyncConnection[Any], seconds: float) -> None:
        self._raw = raw
        self._seconds = seconds

    def __enter__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds, cut, self._raw)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def cut(raw: psycopg.AsyncConnection[Any]) -> None:
    """Break the connection: whoever waits for it hears at once that it is lost."""
    # The driver owns the socket; a duplicate reaches the same connection.
    with (
        contextlib.suppress(psycopg.Error, OSError),
        socket.socket(fileno=os.dup(raw.pgconn.socket)) as line,
    ):
        line.shutdown(socket.SHUT_RDWR)


async def roll_back(raw: RawConnection) -> None:
    """Leave the connection clean for its pool, or closed: a server that hangs answers nothing."""
    if raw.closed:
        return
    try:
        if raw.info.transaction_status is not TransactionStatus.IDLE:
            with deadline(raw, _ROLLBACK_SECONDS):
                await raw.rollback()
    except psycopg.Error:
        await raw.close()
    # Cancelled with answers under way libpq may stay in pipeline mode, where COMMIT's message of
    # several statements is refused, to whoever borrows the connection next.
    # The driver says it as a plain number.
    if raw.pgconn.pipeline_status != PipelineStatus.OFF:
        await raw.close()


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` to its end even when the caller is cancelled meanwhile; then say so."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
