"""A tenant's rows out of a backup, back where the tenant lives; written as the mover.

One transaction behind the tenant's exclusive lock (I3): writers in flight have ended before it,
later ones wait or try again, neighbours notice nothing, and nobody ever sees a half of it. What is
there already is never written over: rows that are missing are inserted, whatever else changes is an
ordinary change with its audit row (I5).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg import sql

from global_db.cluster import Cluster
from global_db.connection import RawConnection, WriteConnection
from global_db.directory import Placement
from global_db.node import use_json
from global_db.quotas import UNLIMITED
from shards.copying.keys import TABLES, TenantTable
from shards.copying.sessions import first, session
from shards.residency import refusals
from shards.rooms import Rooms
from shards.tenants import TenantWrite

_LOCK: LiteralString = "SELECT docshard.lock_tenants(ARRAY[%s]::uuid[], %s)"
_ENTER: LiteralString = "SELECT docshard.enter_write(%s, %s) AS now"
# The queue of the chain is filled by its owner, whom row-level security binds.
_BIND: LiteralString = "SET LOCAL row_security = on"
# Triggers and foreign keys are for those who write; rows that come back were written before.
_AS_REPLICA: LiteralString = "SET LOCAL session_replication_role = replica"
_AS_ORIGIN: LiteralString = "SET LOCAL session_replication_role = origin"
_PUT = sql.SQL("""
    INSERT INTO {table} AS present ({columns})
    SELECT {columns} FROM json_populate_recordset(NULL::{table}, %(rows)s::json) AS r
     WHERE r.client_id = %(client)s AND {fit}
    ON CONFLICT DO NOTHING
""")
_ANY: Final = sql.SQL("true")
_FIT: Final = {
    # Its document is there, and no newer version has taken the number.
    "document_versions": sql.SQL("""
        EXISTS (SELECT FROM docshard.documents d
                 WHERE d.client_id = r.client_id AND d.id = r.document_id
                   AND r.version_number <= d.current_version)"""),
    "idempotency_keys": sql.SQL("r.expires_at > now()"),
    # A month in the archive is not missing.
    "audit_logs": sql.SQL("""
        NOT EXISTS (SELECT FROM docshard.audit_archives a
                     WHERE a.client_id = r.client_id AND a.month
                         = date_trunc('month', r.created_at AT TIME ZONE 'UTC')::date)"""),
    "audit_archives": sql.SQL("r.stored_at IS NOT NULL"),
}
"""Which of a table's missing rows may come back; all, unless told."""

ORDER: Final = (
    "documents",
    "document_versions",
    "idempotency_keys",
    "audit_archives",
    "audit_chain",
    "audit_logs",
)
"""Tables whose rows come back, each behind those that it asks for. Not: uploads, whose addresses
have ended; notes of purged blobs and the queue of the chain, which are made anew."""

# A row that no link vouches for is linked behind the present end of the chain.
_QUEUE: LiteralString = """
    INSERT INTO docshard.audit_pending (client_id, audit_created_at, audit_id, content_hash)
    SELECT a.client_id, a.created_at, a.id, a.content_hash
      FROM docshard.audit_logs a
     WHERE a.client_id = %(client)s
       AND (a.created_at, a.id) IN (SELECT r.created_at, r.id FROM json_populate_recordset(
               NULL::docshard.audit_logs, %(rows)s::json) AS r)
       AND NOT EXISTS (SELECT FROM docshard.audit_chain c
                        WHERE c.client_id = a.client_id AND c.audit_id = a.id)
    ON CONFLICT DO NOTHING
"""
_FORGET: LiteralString = """
    DELETE FROM docshard.purged_blobs WHERE client_id = %s AND s3_key = ANY(%s) RETURNING s3_key
"""
_LATER: LiteralString = """
    SELECT a.action, a.changes FROM docshard.audit_logs a
     WHERE a.client_id = %s AND a.entity_id = %s AND a.entity_type = 'document'
       AND a.action <> 'content.read' AND a.created_at > %s
     ORDER BY a.created_at, a.id
"""


@dataclass(frozen=True, slots=True)
class LaterChange:
    """What the audit log tells of a document behind the moment of a backup."""

    action: str
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Returning:
    """The transaction. `tenant` makes ordinary changes in it."""

    tenant: TenantWrite
    _connection: RawConnection

    async def put(self, table: TenantTable, columns: Sequence[str], lines: Sequence[str]) -> int:
        """Insert those of these rows that are missing and may come back; answers how many."""
        connection = self._connection
        query = _PUT.format(
            table=table.qualified,
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            fit=_FIT.get(table.name, _ANY),
        )
        values = {"rows": f"[{','.join(lines)}]", "client": self.tenant.client_id}
        await connection.execute(_AS_REPLICA)
        put = (await connection.execute(query, values)).rowcount
        if table.name == "audit_logs":
            await connection.execute(_QUEUE, values)
        await connection.execute(_AS_ORIGIN)
        return put

    async def forget_purged(self, s3_keys: Sequence[str]) -> list[str]:
        """Take back that these blobs may go; answers those that were to."""
        cursor = await self._connection.execute(_FORGET, [self.tenant.client_id, list(s3_keys)])
        return [row["s3_key"] for row in await cursor.fetchall()]

    async def told_since(self, document_id: UUID, since: datetime) -> list[LaterChange]:
        """What the audit log tells of a document behind `since`, oldest first."""
        values = [self.tenant.client_id, document_id, since]
        cursor = await self._connection.execute(_LATER, values)
        return [
            LaterChange(row["action"], row["changes"].get("after"))
            for row in await cursor.fetchall()
        ]


@asynccontextmanager
async def returning(
    cluster: Cluster, placement: Placement, patience_ms: int
) -> AsyncIterator[Returning]:
    """The transaction, committed when the block ends and rolled back when it raises.

    Raises:
        LockNotAvailable: writers held the tenant for so long. Refused: it does not live here at
        that epoch, or is at the switch of a move. ClusterError.
    """
    client = placement.client_id
    async with session(cluster) as connection:
        await use_json(connection)
        with refusals():
            async with connection.transaction():
                await connection.execute(_LOCK, [client, patience_ms])
                await connection.execute(_BIND)
                row = await first(connection, _ENTER, client, placement.epoch)
                if row is None:
                    raise LookupError("the server entered without a word")
                # What was the tenant's comes back, whatever it may store now.
                roomy = replace(placement, quota=UNLIMITED)
                tenant = TenantWrite(WriteConnection(connection), roomy, row["now"], Rooms())
                yield Returning(tenant, connection)


__all__ = ["ORDER", "TABLES", "LaterChange", "Returning", "TenantTable", "returning"]
