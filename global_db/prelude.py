"""A statement before a statement, in one message; and the types that every session shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.rows import dict_row

from global_db.statement import ReadStatement

Row = dict[str, Any]
RawConnection = psycopg.AsyncConnection[Row]


@dataclass(frozen=True, slots=True)
class Prelude:
    """A statement that goes before each read, in the same message and transaction.

    The read's snapshot is then newer than what the prelude found, which a condition inside the
    read itself could not promise: READ COMMITTED takes a snapshot for each statement. What it
    finds holds as long as the server lives, so it is left out where it was found before, in the
    `life` of the server that the read then demands. `learn` is told what it finds.
    """

    statement: ReadStatement
    parameters: dict[str, Any]
    life: int | None = None
    learn: Callable[[Row], None] | None = None


@lru_cache(maxsize=512)
def joined(first: str, second: str) -> str:
    """The same text object each time, which the driver has parsed already."""
    return f"{first};\n{second}"


async def run_behind(
    raw: RawConnection, prelude: Prelude, text: str, values: dict[str, Any]
) -> psycopg.AsyncCursor[Row]:
    """Two statements in one simple query: their values are written into the text by psycopg."""
    cursor = psycopg.AsyncClientCursor(raw, row_factory=dict_row)
    first = prelude.statement
    await cursor.execute(joined(first.text, text), first.fixed | prelude.parameters | values)
    found = await cursor.fetchone()
    if prelude.learn is not None and found is not None:
        prelude.learn(found)
    cursor.nextset()
    return cursor
