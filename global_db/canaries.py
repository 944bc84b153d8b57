"""A row of each minute, on any cluster: by it a restore tells how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from global_db.connection import ReadConnection, WriteConnection
from global_db.drill_tables import canaries
from global_db.statement import read, write

KEPT: Final = timedelta(days=3)
"""Longer than the newest backup is old, as long as backups are taken."""


@dataclass(frozen=True, slots=True)
class Canary:
    """When it was written, and where the WAL was then, in bytes."""

    written_at: datetime
    lsn: int


_PLACE = sa.literal_column("(pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint", sa.BigInteger)
_SING = write(sa.insert(canaries).values(written_at=sa.func.clock_timestamp(), lsn=_PLACE))
_FORGET = write(
    sa.delete(canaries).where(
        canaries.c.written_at < sa.func.now() - sa.bindparam("kept", type_=sa.Interval)
    )
)
_SINCE = read(
    sa.select(canaries)
    .where(canaries.c.written_at >= sa.bindparam("since", type_=sa.DateTime(timezone=True)))
    .order_by(canaries.c.written_at)
)


async def sing(connection: WriteConnection) -> None:
    """Write this minute's row, and forget old ones."""
    await connection.send(_SING)
    await connection.send(_FORGET, kept=KEPT)


async def since(connection: ReadConnection, moment: datetime) -> list[Canary]:
    """Those that were written since, oldest first."""
    return [Canary(**row) for row in await connection.all(_SINCE, since=moment)]
