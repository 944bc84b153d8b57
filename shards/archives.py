"""A shard's audit rows on their way to the archive, and a tenant's list of what lies there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from global_db.archives import BEHIND, MONTH, ROW_COLUMNS, ArchivedRow
from global_db.connection import ReadConnection
from global_db.statement import read, write
from shards.residency import entered, entered_read
from shards.tables import audit_archives, audit_chain
from shards.tenants import TenantRead, TenantWrite


@dataclass(frozen=True, slots=True)
class TenantArchive:
    """A tenant's object of one archived month; `stored_at` None: it was only begun."""

    archive_id: UUID
    month: date
    s3_key: str
    rows: int | None
    size: int | None
    sha256: bytes | None
    first_seq: int | None
    last_seq: int | None
    created_at: datetime
    stored_at: datetime | None

    @property
    def stored(self) -> StoredObject | None:
        """What was found when it was read again."""
        if self.stored_at is None:
            return None
        return StoredObject(**{name: getattr(self, name) for name in StoredObject.__slots__})


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that was read again. `sha256` is of its bytes, `rows` without the first line."""

    rows: int
    size: int
    sha256: bytes
    first_seq: int
    last_seq: int


_CLIENT = sa.bindparam("client_id", type_=sa.Uuid)
_ARCHIVE = sa.bindparam("archive_id", type_=sa.Uuid)
_NEXT_TENANT = read(
    sa.select(
        sa.func.docshard.next_audit_tenant(MONTH, sa.bindparam("after", type_=sa.Uuid)).label(
            "client_id"
        )
    )
)
_PAGE = read(
    sa.select(
        sa.func.docshard.audit_month_page(
            MONTH, sa.bindparam("client", type_=sa.Uuid), *BEHIND
        ).table_valued(*(sa.column(name, kind) for name, kind in ROW_COLUMNS.items()), name="found")
    )
)
_SHOWN = tuple(audit_archives.c[name] for name in TenantArchive.__slots__)
_MONTHS = entered_read(
    sa.select(audit_archives.c.month).where(audit_archives.c.client_id == entered).distinct()
)
_EVERY = entered_read(
    sa.select(*_SHOWN)
    .where(audit_archives.c.client_id == entered)
    .order_by(audit_archives.c.month, audit_archives.c.archive_id),
    order_by=[sa.asc("month"), sa.asc("archive_id")],
)
_LINKED = entered_read(
    sa.select(sa.func.count().label("links")).where(
        audit_chain.c.client_id == entered,
        audit_chain.c.seq.between(
            sa.bindparam("first_seq", type_=sa.BigInteger),
            sa.bindparam("last_seq", type_=sa.BigInteger),
        ),
        audit_chain.c.audit_created_at >= sa.bindparam("since", type_=sa.DateTime(timezone=True)),
        audit_chain.c.audit_created_at < sa.bindparam("until", type_=sa.DateTime(timezone=True)),
    )
)
_FIND = entered_read(
    sa.select(*_SHOWN).where(
        audit_archives.c.client_id == entered, audit_archives.c.archive_id == _ARCHIVE
    )
)
_BEGIN = write(
    insert(audit_archives)
    .values(
        client_id=_CLIENT,
        archive_id=_ARCHIVE,
        month=sa.bindparam("month"),
        s3_key=sa.bindparam("s3_key"),
    )
    .on_conflict_do_nothing()
)
_STORED = write(
    sa.update(audit_archives)
    .where(audit_archives.c.client_id == _CLIENT, audit_archives.c.archive_id == _ARCHIVE)
    .values(
        **{name: sa.bindparam(name) for name in StoredObject.__slots__},
        stored_at=sa.func.now(),
    )
)


async def next_tenant(connection: ReadConnection, month: date, after: UUID) -> UUID | None:
    """The next tenant by id that has rows in the month; None after the last."""
    row = await connection.one(_NEXT_TENANT, month=month, after=after)
    return None if row is None else row["client_id"]


async def page(
    connection: ReadConnection,
    month: date,
    client_id: UUID,
    after: tuple[datetime, UUID] | None,
    most: int,
) -> list[ArchivedRow]:
    """A tenant's rows of the month by time, from behind `after`."""
    at, id_ = after or (None, None)
    rows = await connection.all(
        _PAGE, month=month, client=client_id, after_at=at, after_id=id_, most=most
    )
    return [ArchivedRow(**row) for row in rows]


async def months(tenant: TenantRead) -> frozenset[date]:
    """Months, by their first days, of which rows may lie in the archive and not in the log."""
    return frozenset(row["month"] for row in await tenant.all(_MONTHS))


async def every(tenant: TenantRead) -> list[TenantArchive]:
    """All objects of the tenant, by month, those that were only begun too."""
    return [TenantArchive(**row) for row in await tenant.all(_EVERY)]


async def linked(tenant: TenantRead, stored: StoredObject, since: datetime, until: datetime) -> int:
    """How many links the chain has, in the range of the object's seq, of rows of this time."""
    row = await tenant.one(
        _LINKED, first_seq=stored.first_seq, last_seq=stored.last_seq, since=since, until=until
    )
    return 0 if row is None else int(row["links"])


async def find(tenant: TenantRead, archive_id: UUID) -> TenantArchive | None:
    """The tenant's object of this archive, if it was begun."""
    row = await tenant.one(_FIND, archive_id=archive_id)
    return None if row is None else TenantArchive(**row)


async def begin(tenant: TenantWrite, archive_id: UUID, month: date, s3_key: str) -> None:
    """Record an object before it is written; one that is recorded stays as it is."""
    await tenant.send(_BEGIN, archive_id=archive_id, month=month, s3_key=s3_key)


async def stored(tenant: TenantWrite, archive_id: UUID, found: StoredObject) -> None:
    """Record that the object was read again and is right."""
    values = {name: getattr(found, name) for name in StoredObject.__slots__}
    await tenant.send(_STORED, archive_id=archive_id, **values)
