"""Restore points: one name in the WAL of every cluster, where placement is consistent.

`mark` may be run on any cluster, the others on the global one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from global_db.connection import ReadConnection, WriteConnection
from global_db.restore_point_tables import restore_points
from global_db.statement import read, write
from global_db.tables import shards


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a cluster's WAL has the point: its LSN as PostgreSQL writes it, and its timeline."""

    lsn: str
    timeline: int


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """A point with its marks by cluster; `name` stands in the WAL, `label` is for people."""

    id: UUID
    name: str
    label: str
    positions: Mapping[str, Any]
    created_at: datetime


_HOLD = write(sa.select(sa.func.docshard.hold_placement(sa.bindparam("ms", type_=sa.Integer))))
_SHARDS = read(sa.select(shards.c.name).where(shards.c.status != "removed"))
# The transaction takes an id, so that its commit is in the WAL behind the point: recovery to a time
# ends at a commit, and a cluster at rest would have none.
_NUMBERED = write(sa.select(sa.func.pg_current_xact_id().cast(sa.Text).label("id")))
_MARK = write(
    sa.select(
        sa.func.pg_create_restore_point(sa.bindparam("name", type_=sa.Text))
        .cast(sa.Text)
        .label("lsn"),
        sa.func.substr(sa.func.pg_walfile_name(sa.func.pg_current_wal_insert_lsn()), 1, 8).label(
            "timeline"
        ),
    )
)
_SWITCH = write(sa.select(sa.func.pg_switch_wal().cast(sa.Text).label("lsn")))
_INSERT = write(
    sa.insert(restore_points)
    .values({name: sa.bindparam(name) for name in ("id", "name", "label", "positions")})
    .returning(restore_points)
)
_NEWEST = read(
    sa.select(restore_points)
    .order_by(restore_points.c.created_at.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_FORGET = write(
    sa.delete(restore_points).where(
        restore_points.c.created_at < sa.func.now() - sa.bindparam("kept", type_=sa.Interval)
    )
)


async def hold(connection: WriteConnection, patience_ms: int) -> set[str]:
    """Hold placement until the transaction ends; answers the shards that there are.

    Raises:
        psycopg.errors.LockNotAvailable: somebody has been changing it for longer than that.
    """
    await connection.returning(_HOLD, ms=patience_ms)
    return {row["name"] for row in await connection.all(_SHARDS)}


async def mark(connection: WriteConnection, name: str) -> Mark:
    """Put the name into this cluster's WAL."""
    await connection.send(_NUMBERED)
    row = await connection.returning(_MARK, name=name)
    if row is None:
        raise LookupError("no restore point was made")
    return Mark(row["lsn"], int(row["timeline"], 16))


async def switch_wal(connection: WriteConnection) -> None:
    """End the segment, so that it is archived at once."""
    await connection.send(_SWITCH)


async def insert(
    connection: WriteConnection, id_: UUID, name: str, label: str, marks: Mapping[str, Mark]
) -> RestorePoint:
    """Record a point."""
    positions = {
        cluster: {"lsn": one.lsn, "timeline": one.timeline} for cluster, one in marks.items()
    }
    row = await connection.returning(_INSERT, id=id_, name=name, label=label, positions=positions)
    if row is None:
        raise LookupError("the restore point is gone")
    return RestorePoint(**row)


async def newest(connection: ReadConnection, most: int) -> list[RestorePoint]:
    """The last points, newest first."""
    return [RestorePoint(**row) for row in await connection.all(_NEWEST, most=most)]


async def forget(connection: WriteConnection, kept: timedelta) -> None:
    """Forget points that are older than that."""
    await connection.send(_FORGET, kept=kept)
