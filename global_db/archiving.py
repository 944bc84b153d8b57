"""What a primary says of its WAL: when a segment last reached the repositories."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from global_db.connection import ReadConnection
from global_db.statement import read

_archiver = sa.table(
    "pg_stat_archiver",
    sa.column("last_archived_time", sa.DateTime(timezone=True)),
    sa.column("last_failed_time", sa.DateTime(timezone=True)),
)
_AGO = sa.extract("epoch", sa.func.now() - _archiver.c.last_archived_time).cast(sa.Double)
_STATE = read(
    sa.select(
        _AGO.label("seconds_ago"),
        sa.func.coalesce(
            _archiver.c.last_failed_time
            > sa.func.coalesce(_archiver.c.last_archived_time, sa.text("'-infinity'")),
            sa.false(),
        ).label("fails"),
    ).where(sa.func.current_setting("archive_mode") != "off")
)


@dataclass(frozen=True, slots=True)
class Archiving:
    """The last segment went so long ago, None: none yet. `fails`: the last attempt did."""

    seconds_ago: float | None
    fails: bool


async def archiving(connection: ReadConnection) -> Archiving | None:
    """What the primary says; None where it archives nothing."""
    row = await connection.one(_STATE)
    return None if row is None else Archiving(row["seconds_ago"], row["fails"])
