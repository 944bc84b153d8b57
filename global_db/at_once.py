"""A transaction as one message: one way there and back, from BEGIN to behind COMMIT.

Nothing between its statements is decided here. What must hold is demanded by statements that raise;
what follows them then does not run, COMMIT among it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from global_db.connection import (
    BEGIN,
    COMMIT,
    CommitInterrupted,
    RawConnection,
    Row,
    deadline,
    finish,
    is_connection_failure,
    roll_back,
)
from global_db.position import Position
from global_db.statement import WriteStatement

UNDONE = COMMIT.replace("COMMIT;", "ROLLBACK;")
"""Ends a transaction that was a rehearsal; all the rest is as at a COMMIT."""


@dataclass(frozen=True, slots=True)
class Work:
    """A statement with its values."""

    statement: WriteStatement
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """The rows that each statement returned, and where the commit ended."""

    rows: list[list[Row]]
    position: Position


async def at_once(
    raw: RawConnection, works: Sequence[Work], seconds: float, ending: str = COMMIT
) -> Done:
    """Run `works` in a transaction; each is a statement with a snapshot of its own. `ending`:
    COMMIT or UNDONE.

    A caller that goes away does not cancel it, since COMMIT may be under way.

    Raises:
        psycopg.Error: a statement's; nothing was committed.
        CommitInterrupted: the connection was lost, or took longer than `seconds`; nobody knows
            whether it was before COMMIT or behind it.
    """
    try:
        with deadline(raw, seconds):
            return await finish(_send(raw, works, ending))
    except psycopg.OperationalError as error:
        if raw.closed or is_connection_failure(error):
            raise CommitInterrupted from error
        raise
    finally:
        await finish(roll_back(raw))


async def _send(raw: RawConnection, works: Sequence[Work], ending: str) -> Done:
    """As a simple query, whose values psycopg writes into the text: the protocol knows no message
    of several statements with values."""
    cursor = psycopg.AsyncClientCursor(raw, row_factory=dict_row)
    texts = [
        cursor.mogrify(one.statement.text, one.statement.fixed | dict(one.values)) for one in works
    ]
    await cursor.execute(";\n".join([BEGIN, *texts, ending]).encode())
    answers = []
    more: bool | None = True
    while more:
        answers.append(await cursor.fetchall() if cursor.description else [])
        more = cursor.nextset()
    _, *rows, (written,), _, (ended,) = answers
    return Done(rows, Position.told(written, ended))
