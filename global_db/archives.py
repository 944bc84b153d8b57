"""Months of audit logs on their way to the object store; and the global log's own rows of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from global_db.archive_tables import audit_archives
from global_db.connection import ReadConnection, WriteConnection
from global_db.statement import read, write


@dataclass(frozen=True, slots=True)
class Archive:
    """One month of one cluster's audit log. `problem`: why it went no further, when last tried."""

    id: UUID
    cluster: str
    month: date
    state: str
    rows: int | None
    objects: int | None
    size: int | None
    problem: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ArchivedRow:
    """An audit row as it goes to the archive.

    `content` is the text that `content_hash` is the SHA-256 of; `seq` is None without a link, and
    `previous_hash` is what the chain had before it.
    """

    id: UUID
    created_at: datetime
    content: str
    content_hash: bytes
    seq: int | None
    chain_hash: bytes | None
    previous_hash: bytes | None


ROW_COLUMNS: dict[str, sa.types.TypeEngine[Any]] = {
    "id": sa.Uuid(),
    "created_at": sa.DateTime(timezone=True),
    "content": sa.Text(),
    "content_hash": sa.LargeBinary(),
    "seq": sa.BigInteger(),
    "chain_hash": sa.LargeBinary(),
    "previous_hash": sa.LargeBinary(),
}
MONTH = sa.bindparam("month", type_=sa.Date)
BEHIND = (
    sa.bindparam("after_at", type_=sa.DateTime(timezone=True)),
    sa.bindparam("after_id", type_=sa.Uuid),
    sa.bindparam("most", type_=sa.Integer),
)

_all = sa.select(audit_archives).order_by(audit_archives.c.month, audit_archives.c.cluster)
_ALL = read(_all)
_LIVING = read(
    _all.where(
        audit_archives.c.state != "dropped",
        audit_archives.c.cluster == sa.bindparam("cluster", type_=sa.Text),
    )
)
_BEGIN = write(
    sa.insert(audit_archives).values(
        id=sa.bindparam("id"), cluster=sa.bindparam("cluster"), month=sa.bindparam("month")
    )
)
_ADVANCE = write(
    sa.update(audit_archives)
    .where(
        audit_archives.c.id == sa.bindparam("id_", type_=sa.Uuid),
        audit_archives.c.state == sa.bindparam("before", type_=sa.Text),
    )
    .values(
        state=sa.bindparam("after"),
        rows=sa.bindparam("rows"),
        objects=sa.bindparam("objects"),
        size=sa.bindparam("size"),
        problem=None,
        updated_at=sa.func.now(),
    )
    .returning(audit_archives)
)
_REPORT = write(
    sa.update(audit_archives)
    .where(audit_archives.c.id == sa.bindparam("id_", type_=sa.Uuid))
    .values(problem=sa.bindparam("problem"))
)
_PAGE = read(
    sa.select(
        sa.func.docshard.audit_month_page(MONTH, *BEHIND).table_valued(
            *(sa.column(name, kind) for name, kind in ROW_COLUMNS.items()), name="found"
        )
    )
)


async def all_archives(connection: ReadConnection) -> list[Archive]:
    """Every archive, finished ones too, by month."""
    return [Archive(**row) for row in await connection.all(_ALL)]


async def living(connection: ReadConnection, cluster: str) -> list[Archive]:
    """Archives of this cluster that are not finished, oldest month first."""
    return [Archive(**row) for row in await connection.all(_LIVING, cluster=cluster)]


async def begin(connection: WriteConnection, id_: UUID, cluster: str, month: date) -> None:
    """Record that a month is to be archived."""
    await connection.send(_BEGIN, id=id_, cluster=cluster, month=month)


async def advance(
    connection: WriteConnection,
    archive: Archive,
    state: str,
    totals: tuple[int, int, int] | None = None,
) -> Archive | None:
    """Record the next state, with rows, objects and bytes when they are known.

    None: it was not in the state that the caller knows, so somebody else works on it.
    """
    rows, objects, size = totals or (archive.rows, archive.objects, archive.size)
    row = await connection.returning(
        _ADVANCE,
        id_=archive.id,
        before=archive.state,
        after=state,
        rows=rows,
        objects=objects,
        size=size,
    )
    return None if row is None else Archive(**row)


async def report(connection: WriteConnection, id_: UUID, problem: str) -> None:
    """Record why an archive goes no further."""
    await connection.send(_REPORT, id_=id_, problem=problem)


async def page(
    connection: ReadConnection, month: date, after: tuple[datetime, UUID] | None, most: int
) -> list[ArchivedRow]:
    """The global log's rows of a month by time, from behind `after`."""
    after_at, after_id = after or (None, None)
    rows = await connection.all(_PAGE, month=month, after_at=after_at, after_id=after_id, most=most)
    return [ArchivedRow(**row) for row in rows]
