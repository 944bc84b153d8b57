"""Reads that come again and again, by cursors that stay with their connection.

A new cursor finds out anew how each value is written and each column is read; for one row that is
a quarter of what the driver takes. A kept one knows it, as long as it runs the same text object.
"""

from __future__ import annotations

import time
from typing import Any, Final

import psycopg
from psycopg.rows import TupleRow, tuple_row

from global_db.connection import Prelude, ReadConnection, Row
from global_db.statement import ReadStatement
from global_db.timing import note_statement

_MOST: Final = 16
_Cursor = psycopg.AsyncCursor[TupleRow]


class KeepingConnection(psycopg.AsyncConnection[Row]):
    """A connection with a few cursors, by the texts that they ran."""

    def __init__(self, *made: Any, **how: Any) -> None:
        super().__init__(*made, **how)
        self._kept: dict[str, _Cursor] = {}

    @property
    def kept(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def taken(self, text: str) -> _Cursor:
        """A cursor for this text, nobody else's until it is kept again. What comes is binary, which
        is less to read where there are many rows."""
        kept = self._kept.pop(text, None)
        return self.cursor(binary=True, row_factory=tuple_row) if kept is None else kept

    def keep(self, text: str, cursor: _Cursor) -> None:
        """Keep a cursor whose rows were taken; the rows themselves are let go."""
        if cursor.pgresult is not None:
            cursor.pgresult.clear()
        if len(self._kept) < _MOST:
            self._kept[text] = cursor


class KeptRead(ReadConnection):
    """Reads on a connection of a pool."""

    def __init__(self, raw: KeepingConnection, prelude: Prelude | None = None) -> None:
        super().__init__(raw, prelude)
        self._keeping = raw

    async def tuples(self, statement: ReadStatement, **parameters: Any) -> list[tuple[Any, ...]]:
        """Every row, its values in the order of the statement's columns."""
        values = statement.fixed | parameters
        text = self._alone(statement, values)
        if text is None:
            return await super().tuples(statement, **parameters)
        began = time.perf_counter()
        cursor = self._keeping.taken(text)
        # One that fails is not kept: nobody knows what it still has.
        await cursor.execute(text, values, prepare=statement.prepare)
        note_statement(statement.text, began)
        rows = await cursor.fetchall()
        self._keeping.keep(text, cursor)
        return rows
