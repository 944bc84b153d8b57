"""What drills have shown, kept in the global database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from psycopg.types.json import Jsonb
from sqlalchemy.dialects.postgresql import distinct_on

from global_db.connection import ReadConnection, WriteConnection
from global_db.drill_tables import drills
from global_db.statement import read, write


@dataclass(frozen=True, slots=True)
class Drill:
    """A restore that was tried, of `cluster` to `target_at`.

    `rpo_seconds`: how old the newest row was that could be restored when it began; `rto_seconds`:
    from its beginning until the server took writes. `good`: no finding, and both within the goals.
    """

    id: UUID
    cluster: str
    begun_at: datetime
    target_at: datetime
    backup: str
    repository: int
    restored_bytes: int
    rpo_seconds: float
    rto_seconds: float
    good: bool
    findings: tuple[str, ...]
    checked: Mapping[str, Any]


_INSERT = write(sa.insert(drills).values({name: sa.bindparam(name) for name in Drill.__slots__}))
_NEWEST = read(
    sa.select(drills)
    .order_by(drills.c.begun_at.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_LAST = read(
    sa.select(drills)
    .ext(distinct_on(drills.c.cluster))
    .order_by(drills.c.cluster, drills.c.begun_at.desc())
)
_LAST_GOOD = read(
    sa.select(drills.c.cluster, sa.func.max(drills.c.begun_at).label("at"))
    .where(drills.c.good)
    .group_by(drills.c.cluster)
)


async def insert(connection: WriteConnection, drill: Drill) -> None:
    """Keep one."""
    values = {name: getattr(drill, name) for name in Drill.__slots__}
    # A list is an array to the driver, unless it is told.
    await connection.send(_INSERT, **values | {"findings": Jsonb(list(drill.findings))})


async def newest(connection: ReadConnection, most: int) -> list[Drill]:
    """The last ones, newest first."""
    rows = await connection.all(_NEWEST, most=most)
    return [Drill(**row | {"findings": tuple(row["findings"])}) for row in rows]


async def last_of_each(connection: ReadConnection) -> list[Drill]:
    """The last one of each cluster, good or not."""
    rows = await connection.all(_LAST)
    return [Drill(**row | {"findings": tuple(row["findings"])}) for row in rows]


async def last_good(connection: ReadConnection) -> dict[str, datetime]:
    """When the last good one of each cluster began; without those that had none."""
    return {row["cluster"]: row["at"] for row in await connection.all(_LAST_GOOD)}
