"""All rows of one tenant as they were at one instant, as lines of JSON; read as the mover.

The tables are those of the registry of tenant tables, so that a new one takes part by itself. The
lines are PostgreSQL's own `row_to_json`: numbers keep their digits, times are ISO 8601 in UTC,
bytes are hexadecimal. The order is that of the key, texts by their bytes: the same rows make the
same lines on any server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import sqlalchemy as sa
from psycopg import sql

from global_db.cluster import Cluster
from global_db.connection import RawConnection
from shards.copying.keys import TABLES, TenantTable
from shards.copying.sessions import first, session
from shards.residency import NotResident

__all__ = ["TABLES", "Extent", "NotResident", "RowSnapshot", "TenantTable", "row_snapshot"]

_FETCH = 200  # a row takes 128 KiB at most

_BEGIN: LiteralString = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_HERE: LiteralString = """
    SELECT r.state, r.epoch, now() AS taken_at,
           (SELECT version_num FROM docshard.alembic_version) AS revision
      FROM docshard.residency r WHERE r.client_id = %s
"""
_LINES = sql.SQL("""
    SELECT row_to_json((SELECT r FROM (SELECT {columns}) AS r))::text AS line
      FROM {table} AS t WHERE t.client_id = %s ORDER BY {key}
""")
# Contents are shared by versions: as many bytes as there are keys.
_EXTENT: LiteralString = """
    SELECT count(*) AS blobs, coalesce(sum(size), 0)::bigint AS bytes FROM (
        SELECT DISTINCT ON (s3_key) size
          FROM docshard.document_versions WHERE client_id = %(client)s
        UNION ALL
        SELECT size FROM docshard.audit_archives WHERE client_id = %(client)s AND size IS NOT NULL
    ) AS named
"""


@dataclass(frozen=True, slots=True)
class Extent:
    """How many blobs the rows name, and their bytes."""

    blobs: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RowSnapshot:
    """A tenant's rows at `taken_at`, when it lived here and was open at `epoch`."""

    client_id: UUID
    epoch: int
    taken_at: datetime
    revision: str
    _connection: RawConnection

    async def lines(
        self, table: TenantTable, columns: Sequence[str] | None = None
    ) -> AsyncIterator[list[str]]:
        """The rows of a table, some at a time; of these columns, all unless told."""
        query = _LINES.format(
            columns=_columns("t", columns or columns_of(table)),
            table=table.qualified,
            key=sql.SQL(", ").join(map(_order, table.key)),
        )
        async with self._connection.cursor(name="rows") as cursor:
            await cursor.execute(query, [self.client_id])
            while rows := await cursor.fetchmany(_FETCH):
                yield [row["line"] for row in rows]

    async def extent(self) -> Extent:
        """What the rows name outside the database."""
        cursor = await self._connection.execute(_EXTENT, {"client": self.client_id})
        row = await cursor.fetchone()
        return Extent(**(row or {"blobs": 0, "bytes": 0}))


@asynccontextmanager
async def row_snapshot(
    cluster: Cluster, client_id: UUID, epoch: int, states: Sequence[str] = ("open",)
) -> AsyncIterator[RowSnapshot]:
    """A snapshot in which the tenant lives here.

    It is whole: residency is read in the snapshot itself. A move opens a shard behind all that it
    brought (I6), and closes the one it leaves in a transaction behind the last write (I3); so where
    one snapshot says `open` it has every row of the tenant that was committed until then.

    Raises:
        NotResident: not here, or not at this epoch, or at the switch of a move.
        ClusterError.
    """
    async with session(cluster) as connection:
        await connection.execute(_BEGIN)
        row = await first(connection, _HERE, client_id)
        if row is None or row["epoch"] != epoch or row["state"] not in states:
            raise NotResident(f"{cluster.name} does not have {client_id} at epoch {epoch}")
        yield RowSnapshot(client_id, epoch, row["taken_at"], row["revision"], connection)


def columns_of(table: TenantTable) -> list[str]:
    """The names of a table's columns, in its order."""
    return [column.name for column in table.table.columns]


def _columns(alias: str, names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, name) for name in names)


def _order(column: sa.Column[Any]) -> sql.Composable:
    named = sql.Identifier("t", column.name)
    # Locales sort otherwise, and each server has its own.
    return sql.SQL('{} COLLATE "C"').format(named) if isinstance(column.type, sa.Text) else named
