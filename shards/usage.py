"""What a tenant stores, counted: by type and by month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from global_db.columns import living
from global_db.connection import Row
from shards.residency import entered, entered_read
from shards.tables import document_versions, documents
from shards.tenants import TenantRead

MOST = 120
"""Types and months that are told apart; the others are summed."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Living documents; all stored versions, those of deleted documents too; their bytes."""

    documents: int
    versions: int
    bytes: int


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Usage by media type, most bytes first, and by the month of creation (UTC), newest first.

    Of more than `MOST` types or months the rest is what is missing to `total`.
    """

    as_of: datetime
    total: Usage
    by_mime_type: list[tuple[str, Usage]]
    by_month: list[tuple[date, Usage]]


def _cells(table: sa.Table, **sums: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """A table's rows summed by type and month, read from an index alone."""
    utc = sa.func.timezone("UTC", table.c.created_at)
    month = sa.cast(sa.func.date_trunc("month", utc), sa.Date).label("month")
    columns = (sa.cast(value, sa.BigInteger).label(name) for name, value in sums.items())
    query = sa.select(table.c.mime_type, month, *columns).where(table.c.client_id == entered)
    return query.group_by(table.c.mime_type, month).correlate(entered.scalar_alias)


_count = sa.func.count()
_none: sa.ColumnElement[Any] = sa.literal_column("0")
_cell = sa.union_all(
    _cells(documents, documents=_count, versions=_none, bytes=_none).where(living(documents)),
    _cells(
        document_versions,
        documents=_none,
        versions=_count,
        bytes=sa.func.sum(document_versions.c.size),
    ),
).subquery("cell")
_sums = [
    sa.cast(sa.func.coalesce(sa.func.sum(_cell.c[name]), 0), sa.BigInteger).label(name)
    for name in Usage.__slots__
]
_kind = sa.func.grouping(_cell.c.mime_type, _cell.c.month).label("kind")
_grouped = (
    sa.select(_kind, _cell.c.mime_type, _cell.c.month, *_sums)
    .group_by(
        sa.func.grouping_sets(sa.tuple_(_cell.c.mime_type), sa.tuple_(_cell.c.month), sa.tuple_())
    )
    .subquery("grouped")
)
_place = sa.func.row_number().over(
    partition_by=_grouped.c.kind,
    order_by=[_grouped.c.month.desc(), _grouped.c.bytes.desc(), _grouped.c.mime_type],
)
_ranked = sa.select(_grouped, _place.label("place")).subquery("ranked")
_REPORT = entered_read(
    sa.select(_ranked, sa.func.now().label("as_of")).where(
        _ranked.c.place <= sa.literal_column(str(MOST))
    ),
    [sa.literal_column("kind"), sa.literal_column("place")],
)
_BY_TYPE, _BY_MONTH, _TOTAL = 1, 2, 3  # which columns a row is not grouped by, as bits


async def report(tenant: TenantRead) -> UsageReport:
    """Count what the tenant stores now."""
    rows = await tenant.all(_REPORT)
    (total,) = (row for row in rows if row["kind"] == _TOTAL)
    return UsageReport(
        as_of=total["as_of"],
        total=_usage(total),
        by_mime_type=[(r["mime_type"], _usage(r)) for r in rows if r["kind"] == _BY_TYPE],
        by_month=[(r["month"], _usage(r)) for r in rows if r["kind"] == _BY_MONTH],
    )


def _usage(row: Row) -> Usage:
    return Usage(**{name: row[name] for name in Usage.__slots__})
