"""Reading ranges of keys on one shard: as digests, or row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from psycopg import sql

from global_db.connection import RawConnection
from shards.copying.keys import Key, TenantTable

# Two hashes of 64 bits of each row's text, summed, so in any order; no two rows of a table are the
# same text.
_DIGESTS = sql.SQL("""
    SELECT d.rows, d.last, d.one, d.two FROM {wanted}, LATERAL (
        SELECT count(*) AS rows, coalesce(sum(hashtextextended(line, 0)), 0) AS one,
               coalesce(sum(hashtextextended(line, 1)), 0) AS two,
               (array_agg(key ORDER BY place))[count(*)] AS last
          FROM (SELECT {key_text} AS key, ROW({columns})::text AS line,
                       row_number() OVER (ORDER BY {key_columns}) AS place
                  FROM {table} WHERE {within}
                 ORDER BY {key_columns} LIMIT %(limit)s) AS r) AS d
     ORDER BY wanted.place
""")
_LINES = sql.SQL("""
    SELECT l.key, l.line FROM {wanted}, LATERAL (
        SELECT {key_text} AS key, hashtextextended(ROW({columns})::text, 0) AS line
          FROM {table} WHERE {within}) AS l
""")
_WANTED = sql.SQL("""
    unnest(%(clients)s::uuid[], %(lowers)s::text[], %(uppers)s::text[], %(firsts)s::boolean[])
        WITH ORDINALITY AS wanted (client_id, lower, upper, first, place)
""")
# A lower bound that is left out stays in the condition of the index, and falls to the filter.
_FROM = sql.SQL("""
    {table}.client_id = wanted.client_id AND {key} >= {lower} AND (wanted.first OR {key} <> {lower})
""")
_UP_TO = sql.SQL(" AND {key} <= {upper}")


@dataclass(frozen=True, slots=True)
class Range:
    """Keys of one tenant behind `lower`, or from it on when `first`, up to and with `upper`.

    Without `upper` up to the last key there is.
    """

    client_id: UUID
    lower: Key
    first: bool
    upper: Key | None = None


@dataclass(frozen=True, slots=True)
class Digest:
    """What a range holds; `last` is its last key, if it was cut there by a limit."""

    rows: int
    one: int
    two: int
    last: Key | None


async def read(
    connection: RawConnection, table: TenantTable, ranges: Sequence[Range], limit: int
) -> list[Digest]:
    """The first rows of each range that has no upper bound, at most so many each."""
    rows = await _run(connection, _digests(table, bounded=False), ranges, limit)
    return [_digest(row, limit) for row in rows]


async def compare(
    connection: RawConnection, table: TenantTable, ranges: Sequence[Range]
) -> list[Digest]:
    """All of each range."""
    found: dict[Range, Digest] = {}
    for bounded in (False, True):
        some = [one for one in ranges if (one.upper is not None) is bounded]
        if some:
            rows = await _run(connection, _digests(table, bounded=bounded), some, None)
            found |= {one: _digest(row, None) for one, row in zip(some, rows, strict=True)}
    return [found[one] for one in ranges]


async def lines(connection: RawConnection, table: TenantTable, one: Range) -> dict[Key, int]:
    """A hash of each row by its key."""
    rows = await _run(connection, _lines(table, bounded=one.upper is not None), [one], None)
    return {row["key"]: row["line"] for row in rows}


async def _run(
    connection: RawConnection, query: sql.Composed, ranges: Sequence[Range], limit: int | None
) -> list[dict[str, Any]]:
    values = {
        "clients": [one.client_id for one in ranges],
        "lowers": [one.lower for one in ranges],
        "uppers": [one.upper for one in ranges],
        "firsts": [one.first for one in ranges],
        "limit": limit,
    }
    return await (await connection.execute(query, values)).fetchall()


def _digest(row: dict[str, Any], limit: int | None) -> Digest:
    last = row["last"] if row["rows"] == limit else None
    return Digest(row["rows"], int(row["one"]), int(row["two"]), last)


@lru_cache
def _digests(table: TenantTable, *, bounded: bool) -> sql.Composed:
    return _format(_DIGESTS, table, bounded=bounded)


@lru_cache
def _lines(table: TenantTable, *, bounded: bool) -> sql.Composed:
    return _format(_LINES, table, bounded=bounded)


def _format(query: sql.SQL, table: TenantTable, *, bounded: bool) -> sql.Composed:
    lower, upper = (table.bound(sql.Identifier("wanted", end)) for end in ("lower", "upper"))
    within = _FROM.format(table=table.qualified, key=table.key_row, lower=lower)
    if bounded:
        within += _UP_TO.format(key=table.key_row, upper=upper)
    return query.format(
        wanted=_WANTED,
        table=table.qualified,
        columns=table.columns,
        key_columns=table.key_columns,
        key_text=table.key_text,
        within=within,
    )
