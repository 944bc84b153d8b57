"""How much of a shard is a tenant's: rows, counted, and the bytes that so many rows take.

Counting walks the primary key's index alone and never far in one statement. Bytes are an estimate
by proportion: a table's whole size with its indexes and TOAST, divided by the rows that the server
believes it has, is what a row takes on average; a tenant has its rows times that. On tables of
a few pages it says far too much, and it does not see that one tenant's rows are wider. It is meant
for comparing tenants and for telling how long copying takes; bills are made from something else.
Blobs are not in it, since they do not move.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from global_db.client_statistics import Size
from global_db.cluster import Cluster
from global_db.connection import ReadConnection
from global_db.directory import Placement
from global_db.reading import Reading
from global_db.reads import read_from
from global_db.statement import ReadStatement, read
from shards.residency import entered, entered_read, entrance, refusals
from shards.tables import TENANT_TABLES, residency
from shards.tenants import TenantRead

MOST_AT_ONCE = 20_000
"""Rows of one table that one statement counts: some milliseconds."""
_UNKNOWN_ROW_BYTES = 500.0
"""Where the server knows no number of rows: a new table that nothing has analysed yet."""

Widths = Mapping[str, float]
"""Bytes that a row takes, by table."""


@dataclass(frozen=True, slots=True)
class Resident:
    """A tenant that is open on the shard."""

    client_id: UUID
    epoch: int


_RESIDENTS = read(
    sa.select(residency.c.client_id, residency.c.epoch)
    .where(
        residency.c.state == "open",
        residency.c.client_id > sa.bindparam("after", type_=sa.Uuid),
    )
    .order_by(residency.c.client_id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
# A partitioned table has its bytes and rows in its partitions; empty ones say nothing about a row.
_WIDTHS = read(
    sa.text("""
    SELECT name, sum(bytes)::float8 / sum(rows) AS width
      FROM (SELECT t.name, pg_total_relation_size(p.relid) AS bytes,
                   greatest(c.reltuples, s.n_live_tup, 0)::float8 AS rows
              FROM unnest(CAST(:names AS text[])) AS t (name),
                   pg_partition_tree(('docshard.' || t.name)::regclass) AS p
              JOIN pg_class AS c ON c.oid = p.relid
              LEFT JOIN pg_stat_all_tables AS s ON s.relid = p.relid
             WHERE p.isleaf) AS parts
     WHERE rows > 0
     GROUP BY name
    """)
)


def _first_rows(table: sa.Table) -> sa.Select[Any]:
    """How many rows a tenant has, up to one more than a statement counts."""
    some = (
        sa.select(table.c.client_id)
        .where(table.c.client_id == entered)
        .correlate(entered.scalar_alias)
        .limit(sa.literal_column(str(MOST_AT_ONCE + 1)))
        .subquery()
    )
    name: sa.ColumnElement[Any] = sa.literal_column(f"'{table.name}'").label("name")
    columns: list[sa.ColumnElement[Any]] = [name, sa.func.count().label("rows")]
    return sa.select(*columns).select_from(some)


_FIRST = entered_read(sa.union_all(*(_first_rows(table) for table in TENANT_TABLES)))


def _page(table: sa.Table, *, further: bool) -> ReadStatement:
    """A tenant's next rows by primary key: how many they are, and the key of the last one."""
    keys = _keys(table)
    page = (
        sa.select(*keys, sa.func.row_number().over(order_by=keys).label("rows"))
        .where(table.c.client_id == entered)
        .correlate(entered.scalar_alias)
        .order_by(*keys)
        .limit(sa.literal_column(str(MOST_AT_ONCE)))
    )
    if further:
        after = [sa.bindparam(f"after_{key.name}", type_=key.type) for key in keys]
        page = page.where(sa.tuple_(*keys) > sa.tuple_(*after))
    numbered = page.subquery("page")
    last = sa.select(numbered).order_by(numbered.c.rows.desc()).limit(sa.literal_column("1"))
    return entered_read(last)


def _keys(table: sa.Table) -> list[sa.Column[Any]]:
    return [column for column in table.primary_key if column.name != "client_id"]


_PAGES = {
    table.name: {further: _page(table, further=further) for further in (False, True)}
    for table in TENANT_TABLES
}


async def residents(connection: ReadConnection, after: UUID, limit: int) -> list[Resident]:
    """Tenants that are open on this shard, by id, from behind `after`."""
    rows = await connection.all(_RESIDENTS, after=after, limit=limit)
    return [Resident(**row) for row in rows]


async def row_widths(connection: ReadConnection) -> Widths:
    """What a row takes in each tenant table, as the primary has counted rows; replicas do not."""
    names = [table.name for table in TENANT_TABLES]
    rows = await connection.all(_WIDTHS, names=names)
    return dict.fromkeys(names, _UNKNOWN_ROW_BYTES) | {row["name"]: row["width"] for row in rows}


async def measure(
    cluster: Cluster, resident: Resident, widths: Widths, max_staleness: float
) -> Size:
    """Rows and bytes of a tenant, counted on a replica that is not farther behind, if there is one.

    Raises:
        Refused: the tenant is not open here at this epoch any more.
        ClusterError.
    """
    placement = Placement(resident.client_id, cluster.name, resident.epoch, "active")

    async def count(connection: ReadConnection) -> dict[str, int]:
        return await _count(TenantRead(connection, placement))

    with refusals():
        rows = await read_from(
            cluster,
            Reading(max_staleness),
            count,
            entrance(resident.client_id, resident.epoch),
        )
    size = sum(number * widths[name] for name, number in rows.items())
    return Size(resident.client_id, sum(rows.values()), round(size))


async def _count(tenant: TenantRead) -> dict[str, int]:
    """Rows by table. Large tables are counted in pages, each of its own moment."""
    counts = {row["name"]: row["rows"] for row in await tenant.all(_FIRST)}
    for table in TENANT_TABLES:
        if counts[table.name] > MOST_AT_ONCE:
            counts[table.name] = await _count_by_pages(tenant, table)
    return counts


async def _count_by_pages(tenant: TenantRead, table: sa.Table) -> int:
    pages, total = _PAGES[table.name], 0
    row = await tenant.one(pages[False])
    while row is not None:
        total += row["rows"]
        if row["rows"] < MOST_AT_ONCE:
            break
        after = {f"after_{key.name}": row[key.name] for key in _keys(table)}
        row = await tenant.one(pages[True], **after)
    return total
