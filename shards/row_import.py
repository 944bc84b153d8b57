"""A tenant's rows out of an export, into a shard where it is `importing`; written as the mover.

The residency is owned by the import (its id stands where a move's does), so nobody enters the
tenant meanwhile, and every transaction makes sure that it still is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql

from global_db.cluster import Cluster
from global_db.connection import RawConnection, Row
from shards.copying.keys import TenantTable
from shards.copying.sessions import first, session
from shards.residency import NotResident

_ENTER: LiteralString = """
    INSERT INTO docshard.residency AS r (client_id, epoch, state, move_id, generation)
    VALUES (%(client)s, %(epoch)s, 'importing', %(import)s, 0)
    ON CONFLICT (client_id) DO UPDATE
        SET epoch = excluded.epoch, state = 'importing', move_id = excluded.move_id,
            generation = 0, changed_at = now()
        WHERE r.state = 'gone' AND r.epoch < excluded.epoch
           OR r.state = 'importing' AND r.epoch = excluded.epoch AND r.move_id = excluded.move_id
    RETURNING r.client_id
"""
# FOR SHARE: nobody ends the import or opens the tenant before this transaction has ended.
_OURS: LiteralString = """
    SELECT client_id FROM docshard.residency
     WHERE client_id = %s AND move_id = %s AND state = 'importing' FOR SHARE
"""
_OPEN: LiteralString = """
    UPDATE docshard.residency SET state = 'open', changed_at = now()
     WHERE client_id = %s AND move_id = %s AND state = 'importing' RETURNING client_id
"""
# Triggers and foreign keys are for those who write; these rows were written before.
_AS_REPLICA: LiteralString = "SET LOCAL session_replication_role = replica"
# A row of another tenant would be invisible here and is counted: see `put`.
_PUT = sql.SQL("""
    INSERT INTO {table} ({columns})
    SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s::json) WHERE client_id = %s
""")


class StrangeRow(Exception):
    """A row is not of the tenant that is imported, or no row of that table."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A tenant on its way in. `import_id` is the same for the same export: so it is resumed."""

    client_id: UUID
    import_id: UUID
    epoch: int


async def enter(cluster: Cluster, arrival: Arrival) -> bool:
    """Let the tenant be `importing` here; False when the shard knows it otherwise than as gone."""
    values = {
        "client": arrival.client_id,
        "epoch": arrival.epoch,
        "import": arrival.import_id,
    }
    async with session(cluster) as connection:
        cursor = await connection.execute(_ENTER, values)
        return await cursor.fetchone() is not None


async def open_up(cluster: Cluster, arrival: Arrival) -> None:
    """Let the tenant be served here.

    Raises:
        NotResident: it is not `importing` by this import.
    """
    async with session(cluster) as connection:
        row = await first(connection, _OPEN, arrival.client_id, arrival.import_id)
        if row is None:
            raise NotResident(f"{cluster.name}: the import has lost {arrival.client_id}")


@dataclass(frozen=True, slots=True)
class Landing:
    """Writes rows of one tenant."""

    arrival: Arrival
    _connection: RawConnection

    async def put(self, table: TenantTable, columns: Sequence[str], lines: Sequence[str]) -> None:
        """Add rows that were exported with these columns, in a transaction of their own.

        Raises:
            StrangeRow: nothing was added.
            NotResident: the tenant is not `importing` by this import any more.
        """
        arrival, connection = self.arrival, self._connection
        query = _PUT.format(
            table=table.qualified, columns=sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        async with connection.transaction():
            row = await first(connection, _OURS, arrival.client_id, arrival.import_id)
            if row is None:
                raise NotResident(f"the import has lost {arrival.client_id}")
            await connection.execute(_AS_REPLICA)
            rows = f"[{','.join(lines)}]"
            cursor = await _taken(connection, query, [rows, arrival.client_id])
            if cursor.rowcount != len(lines):
                raise StrangeRow(f"a row of {table.name} is not of client {arrival.client_id}")


async def _taken(
    connection: RawConnection, query: sql.Composed, values: list[Any]
) -> psycopg.AsyncCursor[Row]:
    try:
        return await connection.execute(query, values)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise StrangeRow(str(error).strip()) from error


@asynccontextmanager
async def landing(cluster: Cluster, arrival: Arrival) -> AsyncIterator[Landing]:
    """A connection that writes rows of the tenant.

    Raises:
        ClusterError.
    """
    async with session(cluster) as connection:
        yield Landing(arrival, connection)
