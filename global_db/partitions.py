"""Monthly partitions of audit_logs, made ahead; the same function stands in every database."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from global_db.connection import WriteConnection
from global_db.statement import write

_MAKE = write(
    sa.select(
        sa.func.docshard.make_audit_partition(sa.bindparam("day", type_=sa.Date)).label("made")
    )
)


async def make(connection: WriteConnection, day: date) -> bool:
    """Make the partition of the month that holds `day`; False when it is there already.

    The caller tries again after a `LockNotAvailable`: the lock is asked for with a short wait, so
    that inserts never queue behind it.
    """
    row = await connection.returning(_MAKE, day=day)
    return row is not None and bool(row["made"])
