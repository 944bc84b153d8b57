"""What a preflight wants to know of a shard and of a batch on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from global_db.cluster import Cluster
from global_db.connection import RawConnection, Row
from shards.copying.batch import Batch
from shards.copying.keys import TABLES, TenantTable
from shards.copying.sessions import session
from shards.copying.standbys import standbys_of

_SERVER: LiteralString = """
SELECT current_setting('server_version_num')::int / 10000 AS major,
       (SELECT version_num FROM docshard.alembic_version) AS revision,
       (SELECT concat_ws(' ', datlocprovider, datcollate) FROM pg_database
         WHERE datname = current_database()) AS collation,
       current_setting('wal_level') AS wal_level,
       (SELECT coalesce(array_agg(format('%%s %%s', c.relname,
                   pg_get_expr(c.relpartbound, c.oid)) ORDER BY c.relname), '{}')
          FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'docshard.audit_logs'::regclass) AS partitions,
       (SELECT count(*) FROM pg_replication_slots) AS slots,
       current_setting('max_replication_slots')::int AS most_slots,
       (SELECT count(*) FROM pg_stat_replication) AS senders,
       current_setting('max_wal_senders')::int AS most_senders,
       (SELECT count(*) FROM pg_stat_subscription WHERE pid IS NOT NULL) AS workers,
       current_setting('max_logical_replication_workers')::int AS most_workers,
       coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float AS oldest_seconds,
       a.pid AS oldest_pid,
       (SELECT coalesce(array_agg(c.relname::text ORDER BY c.relname), '{}') FROM pg_class c
         WHERE c.relnamespace = 'docshard'::regnamespace
           AND (c.relname = ANY (%(tables)s) OR c.oid IN (
                SELECT inhrelid FROM pg_inherits WHERE inhparent = 'docshard.audit_logs'::regclass))
           AND NOT (c.relreplident = 'f' OR c.relreplident IN ('d', 'i') AND EXISTS (
                SELECT FROM pg_index i WHERE i.indrelid = c.oid
                   AND CASE c.relreplident WHEN 'd' THEN i.indisprimary ELSE i.indisreplident END)))
           AS without_identity
  FROM (SELECT 1) AS one LEFT JOIN LATERAL (
        SELECT pid, xact_start FROM pg_stat_activity
         WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
         ORDER BY xact_start LIMIT 1) AS a ON true
"""
_SAMPLE = 500
_TABLE = sql.SQL("""
    SELECT (SELECT count(*) FROM {table} WHERE client_id = ANY (%(clients)s)) AS rows,
           (SELECT coalesce(avg(pg_column_size(sample.*)), 0)::float
              FROM (SELECT * FROM {table} WHERE client_id = ANY (%(clients)s) LIMIT %(sample)s)
                   AS sample) AS width
""")


@dataclass(frozen=True, slots=True)
class Room:
    """So many are in use, of so many."""

    used: int
    most: int


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What the batch has in a table; bytes as they travel, estimated from a sample."""

    name: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class StandbyFacts:
    """A catalogued node besides the primary. `lag_bytes` is what it has not flushed yet."""

    name: str
    streams: bool
    lag_bytes: int | None


@dataclass(frozen=True, slots=True)
class ShardFacts:
    """A shard's primary; `partitions` of the audit log that are attached, with their bounds.

    `oldest_pid` runs the oldest transaction that a new slot would wait for, for so many seconds.
    `without_identity` are tenant tables whose rows cannot be told apart in a stream.
    `free_bytes` of its disk: PostgreSQL does not tell, so it is None unless somebody else does.
    """

    major: int
    revision: str | None
    collation: str
    wal_level: str
    partitions: tuple[str, ...]
    slots: Room
    senders: Room
    workers: Room
    oldest_seconds: float
    oldest_pid: int | None
    without_identity: tuple[str, ...]
    free_bytes: int | None
    tables: tuple[TableFacts, ...]
    standbys: tuple[StandbyFacts, ...]

    @property
    def rows(self) -> int:
        """Rows of the batch."""
        return sum(table.rows for table in self.tables)

    @property
    def bytes(self) -> int:
        """Bytes of the batch."""
        return sum(table.bytes for table in self.tables)


async def examine(cluster: Cluster, batch: Batch) -> ShardFacts:
    """Ask a shard's primary and its standbys.

    Raises:
        ClusterError.
    """
    async with session(cluster) as connection:
        names = [table.name for table in TABLES]
        cursor = await connection.execute(_SERVER, {"tables": names})
        server = await cursor.fetchone() or {}
        tables = [await _measured(connection, table, batch) for table in TABLES]
    flushed, standbys = await standbys_of(cluster)
    seen = [
        StandbyFacts(one.name, one.streams, max(0, flushed - one.flushed) if one.streams else None)
        for one in standbys
    ]
    return _facts(server, tuple(tables), tuple(seen))


async def _measured(connection: RawConnection, table: TenantTable, batch: Batch) -> TableFacts:
    query = _TABLE.format(table=table.qualified)
    values = {"clients": list(batch.clients), "sample": _SAMPLE}
    row = await (await connection.execute(query, values)).fetchone() or {}
    return TableFacts(table.name, row["rows"], round(row["rows"] * row["width"]))


def _facts(
    server: Row, tables: tuple[TableFacts, ...], standbys: tuple[StandbyFacts, ...]
) -> ShardFacts:
    return ShardFacts(
        major=server["major"],
        revision=server["revision"],
        collation=server["collation"],
        wal_level=server["wal_level"],
        partitions=tuple(server["partitions"]),
        slots=Room(server["slots"], server["most_slots"]),
        senders=Room(server["senders"], server["most_senders"]),
        workers=Room(server["workers"], server["most_workers"]),
        oldest_seconds=server["oldest_seconds"],
        oldest_pid=server["oldest_pid"],
        without_identity=tuple(server["without_identity"]),
        free_bytes=None,
        tables=tables,
        standbys=standbys,
    )
