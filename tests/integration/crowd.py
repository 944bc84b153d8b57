"""A shard with a crowd of tenants of very different sizes, to look at plans over."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import pytest
from psycopg import sql

from global_db.connection import RawConnection
from tests.integration.databases import ShardDatabase
from tests.integration.explaining import Explaining
from tests.integration.postgres import Postgres

# Rows in each table, and whether statistics were gathered.
SIZES = [(0, False), (0, True), (10, False), (20_000, False), (20_000, True)]
LARGE = SIZES[-2:]
MIME_TYPES = ("text/plain", "image/png", "application/pdf")
ACTIONS = ("document.create", "document.update", "version.create")

# The first tenant has half of everything, the others share the rest. Rows are filed as replication
# files them: no triggers, no foreign keys.
_FILL: tuple[LiteralString, ...] = (
    "SET session_replication_role = replica",
    """
    CREATE TEMPORARY TABLE place AS
    SELECT n, (%(clients)s::uuid[])[CASE WHEN n %% 2 = 0 THEN 1 ELSE 1 + n %% %(tenants)s END] AS c
      FROM generate_series(1, %(size)s) AS n
    """,
    """
    INSERT INTO docshard.documents
           (client_id, id, original_name, mime_type, created_by, deleted_at)
    SELECT c, gen_random_uuid(), 'file ' || n, (%(mime_types)s::text[])[1 + n %% 3], c,
           CASE WHEN n %% 7 = 0 THEN now() END
      FROM place
    """,
    """
    INSERT INTO docshard.document_versions (client_id, id, document_id, version_number, s3_key,
           checksum_sha256, size, mime_type, created_by)
    SELECT client_id, gen_random_uuid(), id, n, 'key', sha256(''), 0, mime_type, client_id
      FROM docshard.documents, generate_series(1, 2) AS n
    """,
    """
    INSERT INTO docshard.uploads
           (client_id, id, document_id, s3_key, kind, mime_type, created_by, expires_at)
    SELECT c, gen_random_uuid(), gen_random_uuid(), 'key', 'stream', 'text/plain', c,
           now() + make_interval(mins => 1000 - n %% 1010)
      FROM place
    """,
    """
    INSERT INTO docshard.idempotency_keys
           (client_id, principal_id, key, request_hash, outcome, expires_at)
    SELECT c, c, 'key-' || n, sha256(''), '{}', now() + make_interval(mins => 1000 - n %% 1010)
      FROM place
    """,
    """
    INSERT INTO docshard.audit_logs (client_id, id, user_id, action, entity_type, entity_id,
           content_hash, created_at)
    SELECT c, gen_random_uuid(), (%(clients)s::uuid[])[1 + n %% 3],
           (%(actions)s::text[])[1 + n %% 3], (%(mime_types)s::text[])[1 + n %% 2],
           (%(clients)s::uuid[])[1 + n %% 5], sha256(''),
           date_trunc('month', now()) + make_interval(secs => n)
      FROM place
    """,
    """
    INSERT INTO docshard.audit_chain
           (client_id, seq, audit_id, audit_created_at, content_hash, chain_hash)
    SELECT client_id, row_number() OVER (PARTITION BY client_id ORDER BY created_at, id), id,
           created_at, content_hash, sha256('')
      FROM docshard.audit_logs
    """,
    "DROP TABLE place",
    "SET session_replication_role = origin",
)


@dataclass(frozen=True)
class Crowd:
    """The shard, its tenants (the largest first), and which of its tables are large."""

    shard: ShardDatabase
    clients: Sequence[UUID]
    large: frozenset[str]
    analyzed: bool

    async def rows(self, table: str, client_id: UUID) -> list[dict[str, Any]]:
        """What the tenant has in a table, past any policy."""
        statement = sql.SQL("SELECT * FROM {} WHERE client_id = %s")
        async with self.shard.session() as session:
            cursor = await session.execute(
                statement.format(sql.Identifier("docshard", table)), [client_id]
            )
            return await cursor.fetchall()

    def check(self, session: Explaining) -> None:
        """Fails unless every large table was reached through an index, by the tenant."""
        for node in session.scans():
            if node["Relation Name"] in self.large:
                assert node["Node Type"] != "Seq Scan", node
                condition = node.get("Index Cond") or node.get("Recheck Cond", "")
                assert "client_id" in condition, node


async def crowded(shard: ShardDatabase, size: int, *, analyzed: bool) -> Crowd:
    """Fill a shard with `size` rows in each table, twice as many versions."""
    clients = [await shard.admit() for _ in range(20)]
    async with shard.session() as superuser:
        for statement in _FILL:
            names = {"clients": clients, "tenants": len(clients), "size": size}
            lists = {"mime_types": list(MIME_TYPES), "actions": list(ACTIONS)}
            await superuser.execute(statement, names | lists)
        if analyzed:
            await superuser.execute("VACUUM (ANALYZE)")
        return Crowd(shard, clients, await _large(superuser), analyzed)


async def _large(session: RawConnection) -> frozenset[str]:
    cursor = await session.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'docshard'::regnamespace"
        " AND relkind = 'r' AND pg_relation_size(oid) > 100000"
        # Of residency one row is read for each tenant: every way to it is short.
        " AND relname <> 'residency'"
    )
    return frozenset(row["relname"] for row in await cursor.fetchall())


@pytest.fixture(
    scope="session",
    params=SIZES,
    ids=lambda given: f"{given[0]} rows{', analyzed' if given[1] else ''}",
    name="crowd",
)
async def make_crowd(request: pytest.FixtureRequest, postgres: Postgres) -> AsyncIterator[Crowd]:
    size, analyzed = request.param
    with postgres.database("template_shard") as database:
        shard = ShardDatabase(database.server, database.name)
        yield await crowded(shard, size, analyzed=analyzed)


def newest_first(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Audit rows in the order of their pages."""

    def place(row: dict[str, Any]) -> tuple[datetime, UUID]:
        return row["created_at"], row["id"]

    return sorted(rows, key=place, reverse=True)
