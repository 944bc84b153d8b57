"""What is copied in one go: tenants of a table together, or a part of a big tenant.

Pieces are small enough to keep several lanes busy to the end, and large enough that beginning one
costs nothing beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import sql

from global_db.connection import RawConnection
from shards.copying.batch import Batch
from shards.copying.keys import TABLES, Key, TenantTable

_COUNT = sql.SQL("""
    SELECT client_id, count(*) AS rows FROM {table}
     WHERE client_id = ANY (%s) GROUP BY client_id ORDER BY client_id
""")
_BORDERS = sql.SQL("""
    SELECT border FROM (
        SELECT {key_text} AS border, row_number() OVER (ORDER BY {key_columns}) AS place
          FROM {table} WHERE client_id = %s) AS placed
     WHERE place %% {rows} = 0 ORDER BY place
""")
_OUT = sql.SQL("""
    COPY (SELECT {columns} FROM {table} WHERE client_id = ANY ({clients}::uuid[]){within}
           ORDER BY client_id, {key_columns}) TO STDOUT (FORMAT binary)
""")
_ABOVE = sql.SQL(" AND {key} > {bound}")
_UP_TO = sql.SQL(" AND {key} <= {bound}")


@dataclass(frozen=True, slots=True)
class Piece:
    """All rows of these tenants, or of one tenant those with keys behind `after` up to `upper`."""

    table: TenantTable
    clients: tuple[UUID, ...]
    after: Key | None = None
    upper: Key | None = None

    def out(self) -> sql.Composed:
        """The COPY that reads it. In the order of keys: neighbours on the source are neighbours in
        the target's heap and indexes."""
        return _OUT.format(
            columns=self.table.columns,
            table=self.table.qualified,
            clients=sql.Literal(list(self.clients)),
            within=self._within(_ABOVE, self.after) + self._within(_UP_TO, self.upper),
            key_columns=self.table.key_columns,
        )

    def _within(self, condition: sql.SQL, key: Key | None) -> sql.Composed:
        if key is None:
            return sql.Composed([])
        bound = self.table.bound(sql.Literal(key))
        return condition.format(key=self.table.key_row, bound=bound)


async def pieces(source: RawConnection, batch: Batch) -> list[Piece]:
    """The pieces of the batch, those that cost the most first. In the snapshot of the copy.

    A table that has no rows now has none in the snapshot either.
    """
    found, enough = [], batch.portions.copied
    for table in TABLES:
        query = _COUNT.format(table=table.qualified)
        rows = await (await source.execute(query, [list(batch.clients)])).fetchall()
        for group in _grouped(rows, enough):
            found += await _pieces(source, table, group, enough)
    return found


def _grouped(rows: list[dict[str, Any]], enough: int) -> Iterator[list[dict[str, Any]]]:
    """Neighbours together until they are enough for a piece."""
    group: list[dict[str, Any]] = []
    for row in rows:
        group.append(row)
        if sum(one["rows"] for one in group) >= enough:
            yield group
            group = []
    if group:
        yield group


async def _pieces(
    source: RawConnection, table: TenantTable, group: list[dict[str, Any]], enough: int
) -> list[Piece]:
    found = []
    big = group[-1]["client_id"] if group[-1]["rows"] > enough else None
    small = tuple(row["client_id"] for row in group if row["client_id"] != big)
    if small:
        found.append(Piece(table, small))
    if big is not None:
        borders = await _borders(source, table, big, enough)
        for after, upper in zip([None, *borders], [*borders, None], strict=True):
            found.append(Piece(table, (big,), after, upper))
    return found


async def _borders(
    source: RawConnection, table: TenantTable, client: UUID, rows_apart: int
) -> list[Key]:
    query = _BORDERS.format(
        key_text=table.key_text,
        key_columns=table.key_columns,
        table=table.qualified,
        rows=sql.Literal(rows_apart),
    )
    rows = await (await source.execute(query, [client])).fetchall()
    return [row["border"] for row in rows]
