"""A statement that a transaction does not wait for longer than it wants to, and survives."""

from __future__ import annotations

from typing import Any, Final

from psycopg import errors

from global_db.connection import Row, WriteConnection
from global_db.statement import WriteStatement

_SAVE: Final = WriteStatement("SAVEPOINT bounded", {})
_LIMIT: Final = WriteStatement(
    "SELECT set_config('statement_timeout', %(milliseconds)s::text, true)", {}
)
# The setting goes back with it, so the next statement has the server's own limit again.
_BACK: Final = WriteStatement("ROLLBACK TO SAVEPOINT bounded", {})


class TookTooLong(Exception):
    """The statement was given up; the transaction is as it was before."""


async def within(
    connection: WriteConnection, seconds: float, statement: WriteStatement, **parameters: Any
) -> Row | None:
    """The first row of a statement that only looks: what it changed would be undone.

    Savepoint and limit go in one message with it, the way back with what follows.

    Raises:
        TookTooLong.
    """
    # An error of what waits to be sent is not ours.
    await connection.settle()
    await connection.send(_SAVE)
    # None at all would be 0.
    await connection.send(_LIMIT, milliseconds=max(1, int(seconds * 1000)))
    try:
        row = await connection.returning(statement, **parameters)
    except errors.QueryCanceled as error:
        await connection.send(_BACK)
        raise TookTooLong from error
    await connection.send(_BACK)
    return row
