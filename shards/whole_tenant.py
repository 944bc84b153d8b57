"""What one shard holds of one tenant, for who erases it; asked as the mover."""

from __future__ import annotations

from typing import LiteralString
from uuid import UUID

from psycopg import sql

from global_db.cluster import Cluster
from global_db.connection import ReadConnection
from shards.census import Resident, Span, residents
from shards.copying.keys import TABLES
from shards.copying.sessions import first, session

_COUNT = sql.SQL("SELECT count(*) AS rows FROM {} WHERE client_id = %s")
_KEPT: LiteralString = """
    SELECT count(*) AS kept FROM docshard.documents
     WHERE client_id = %s AND (legal_hold OR retain_until > now())
"""


async def residence(connection: ReadConnection, client_id: UUID) -> Resident | None:
    """The tenant's residency here, in whatever state."""
    just_it = Span(UUID(int=client_id.int - 1), client_id, 1)
    found = await residents(connection, just_it)
    return found[0] if found else None


async def row_counts(cluster: Cluster, client_id: UUID) -> dict[str, int]:
    """How many rows each tenant table has of the tenant; a large tenant's take their time."""
    counts: dict[str, int] = {}
    async with session(cluster) as connection:
        for table in TABLES:
            cursor = await connection.execute(_COUNT.format(table.qualified), [client_id])
            row = await cursor.fetchone()
            # A plain text: SQLAlchemy's names are a kind of their own, which JSON refuses as keys.
            counts[str(table.name)] = row["rows"] if row else 0
    return counts


async def kept_documents(cluster: Cluster, client_id: UUID) -> int:
    """How many documents are on legal hold, or have to be retained still."""
    async with session(cluster) as connection:
        row = await first(connection, _KEPT, client_id)
    return row["kept"] if row else 0
