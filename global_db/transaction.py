"""A transaction in few messages: at most two where nothing between its statements is decided.

Statements are gathered and go when an answer is wanted:

- BEGIN goes in one message with the first statement whose answer is wanted (for tenants the fence),
- what was sent since then goes before the next one, in a pipeline with one Sync behind it,
- what nobody waits for any more goes with COMMIT, in the same message.

The first and the last message are texts of several statements, with the values written into them by
psycopg: the protocol knows no message of several statements with values. Their plans are made each
time; that is less than what one more way there and back costs, and behind a transaction pooler
nothing is prepared anyway.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row

from global_db.connection import (
    BEGIN,
    COMMIT,
    WORK_SECONDS,
    CommitInterrupted,
    RawConnection,
    Row,
    Sent,
    WriteConnection,
    deadline,
    finish,
    is_connection_failure,
    roll_back,
)
from global_db.position import Position
from global_db.prelude import joined
from global_db.statement import ReadStatement, WriteStatement
from global_db.timing import note_statement

_COMMIT_SECONDS = 10.0
_MOST_WITH_COMMIT = 8
"""More statements go before it: those of one text are cheaper prepared when they are many."""


class Transaction(WriteConnection):
    """Gathers statements; made by `transaction`.

    Whatever is sent has a Sync behind it, never a Flush alone: a server that has had no Sync is not
    idle in a transaction, whatever it waits for, and keeps our locks for as long as a process that
    stands still keeps its connection.
    """

    def __init__(self, raw: RawConnection) -> None:
        super().__init__(raw)
        self._begun = False
        self._gathered: list[Sent] = []

    async def returning(self, statement: WriteStatement, **parameters: Any) -> Row | None:
        """Run a change and wait for its first returned row."""
        began = time.perf_counter()
        cursor = await self._wanted(statement.text, statement.fixed | parameters)
        note_statement(statement.text, began)
        return await cursor.fetchone()

    async def settle(self) -> None:
        """Wait for the answers to all that was sent."""
        if self._gathered or not self._begun:
            async with self._raw.pipeline():
                answers = await self._put()
            await _take(answers)

    async def commit(self) -> None:
        """Commit, with what was not waited for, and learn the position of the commit: one message.

        Raises:
            CommitInterrupted: no answer, or one that speaks of the connection and not of the
                transaction. A pooler in between reports the server's death as an error of its own.
        """
        last, self._gathered = self._gathered, []
        cursor = psycopg.AsyncClientCursor(self._raw, row_factory=dict_row)
        texts = [cursor.mogrify(one.text, one.values) for one in last]
        try:
            with deadline(self._raw, _COMMIT_SECONDS):
                began = time.perf_counter()
                await cursor.execute(";\n".join([*texts, COMMIT]).encode())
                for one in last:
                    note_statement(one.text, began)
                    cursor.nextset()
                found = await cursor.fetchone()
                outcome = cursor.statusmessage if cursor.nextset() else None
                row = await cursor.fetchone() if cursor.nextset() else None
        except psycopg.OperationalError as error:
            if self._raw.closed or is_connection_failure(error):
                raise CommitInterrupted from error
            raise
        if outcome != "COMMIT" or row is None or found is None:
            raise psycopg.errors.InFailedSqlTransaction("the transaction had failed before COMMIT")
        self._position = Position.told(found, row)

    async def send_early(self) -> None:
        """Send what must not go with COMMIT: what somebody may still read, or is too much, or would
        be the first word on a line that may be lost: of a transaction that has not begun nothing is
        unknown."""
        many = len(self._gathered) > _MOST_WITH_COMMIT
        if many or not self._begun or any(one.asked for one in self._gathered):
            await self.settle()

    async def _send(self, sent: Sent) -> None:
        self._gathered.append(sent)

    async def _run(
        self, statement: ReadStatement, parameters: dict[str, Any]
    ) -> psycopg.AsyncCursor[Row]:
        began = time.perf_counter()
        values = statement.fixed | parameters
        cursor = await self._wanted(statement.text, values, statement.prepare)
        note_statement(statement.text, began)
        return cursor

    async def _wanted(
        self, text: str, values: dict[str, Any], prepare: bool | None = None
    ) -> psycopg.AsyncCursor[Row]:
        """Run a statement behind all that waits, and wait for its answer."""
        if not self._begun and not self._gathered:
            return await self._begin_with(text, values)
        if not self._gathered:
            return await self._raw.execute(text, values, prepare=prepare)
        async with self._raw.pipeline():
            answers = await self._put()
            cursor = await self._raw.execute(text, values, prepare=prepare)
        await _take(answers)
        return cursor

    async def _begin_with(self, text: str, values: dict[str, Any]) -> psycopg.AsyncCursor[Row]:
        self._begun = True
        cursor = psycopg.AsyncClientCursor(self._raw, row_factory=dict_row)
        await cursor.execute(joined(BEGIN, text), values)
        cursor.nextset()
        return cursor

    async def _put(self) -> Sequence[tuple[Sent, psycopg.AsyncCursor[Row]]]:
        """Send all that waits, inside a pipeline."""
        if not self._begun:
            self._begun = True
            await self._raw.execute(BEGIN)
        waiting, self._gathered = self._gathered, []
        answers = []
        for one in waiting:
            began = time.perf_counter()
            answers.append((one, await self._raw.execute(one.text, one.values)))
            note_statement(one.text, began)
        return answers


async def _take(answers: Sequence[tuple[Sent, psycopg.AsyncCursor[Row]]]) -> None:
    """Keep the rows that were asked for."""
    for one, cursor in answers:
        if one.asked:
            one.rows = await cursor.fetchall()


@asynccontextmanager
async def transaction(raw: RawConnection) -> AsyncIterator[WriteConnection]:
    """One transaction on `raw`, committed when the block ends and rolled back when it raises.

    A caller that goes away while COMMIT is under way does not cancel it.

    Raises:
        CommitInterrupted: the connection was lost during COMMIT.
    """
    try:
        # The deadline ends before COMMIT: whether that took effect is never guessed from time. No
        # pipeline is open then, either. On its way out psycopg may send a Flush behind the last
        # Sync; after COMMIT a pooler has taken the server connection back by then, and would lend
        # one for the Flush alone, until this client happens to speak again.
        with deadline(raw, WORK_SECONDS):
            connection = Transaction(raw)
            yield connection
            await connection.send_early()
        await finish(connection.commit())
    except BaseException:
        await finish(roll_back(raw))
        raise
