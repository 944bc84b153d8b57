"""Audit rows of long ago: written as the application writes them, linked as the worker does."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from services.blobs.store import BlobStore
from services.fleet import audit_lines, audit_links, sweeps
from services.resources import Resources
from services.settings import DatabaseRole
from tests.integration.databases import ShardDatabase
from tests.integration.desk import Workplace
from tests.integration.postgres import APP, Database

# Spread over the month, in one transaction, each with changes of its own.
_WRITE = """
    INSERT INTO docshard.audit_logs
           (client_id, id, user_id, action, entity_type, entity_id, changes, created_at,
            content_hash)
    SELECT %(client)s, gen_random_uuid(), gen_random_uuid(), 'content.read', 'document',
           gen_random_uuid(), jsonb_build_object('after', jsonb_build_object('n', n, 'é', 1e25)),
           %(month)s::date::timestamp AT TIME ZONE 'UTC' + n * interval '1 second', ''
      FROM generate_series(1, %(rows)s) AS n
"""
_WRITE_GLOBAL = """
    INSERT INTO docshard.audit_logs (id, action, entity_type, entity_id, created_at, content_hash)
    SELECT gen_random_uuid(), 'auth.login', 'user', gen_random_uuid(),
           %(month)s::date::timestamp AT TIME ZONE 'UTC' + n * interval '1 second', ''
      FROM generate_series(1, %(rows)s) AS n
"""
SEEN = """
    SELECT count(*) AS rows, coalesce(bit_xor(hashtextextended(t::text, 0)), 0) AS digest
      FROM docshard.audit_logs t
"""


def months_ago(months: int, today: date | None = None) -> date:
    """The first of a month; negative: of one to come."""
    today = today or datetime.now(UTC).date()
    number = today.year * 12 + today.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


async def write_rows(shard: ShardDatabase, client_id: UUID, month: date, rows: int) -> None:
    """So many entries of the month."""
    async with shard.session(APP) as app, app.transaction():
        await app.execute("SELECT docshard.enter_write(%s, 1)", [client_id])
        await app.execute(_WRITE, {"client": client_id, "month": month, "rows": rows})


async def write_global(database: Database, month: date, rows: int) -> None:
    """The same in the global log."""
    async with database.session(APP) as app:
        await app.execute(_WRITE_GLOBAL, {"month": month, "rows": rows})


@dataclass(frozen=True)
class OldFleet:
    """A fleet with a worker."""

    workplace: Workplace
    worker: Resources

    @property
    def shard(self) -> ShardDatabase:
        return self.workplace.fleet.shards["shard-1"]

    async def sql(self, statement: str, *values: Any, of: Database | None = None) -> list[Any]:
        """Ask a database, past all rules: the shard, unless told otherwise."""
        async with (of or self.shard).session() as session:
            cursor = await session.execute(statement.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def seen(self, of: Database | None = None) -> tuple[int, int]:
        """How many rows the log has, and a digest of all they say."""
        (row,) = await self.sql(SEEN, of=of)
        return row["rows"], row["digest"]

    async def link(self) -> None:
        """Link what waits."""
        data = self.worker.data
        await audit_links.link_global(data.global_db)
        for shard in data.registry.shards():
            await audit_links.link_shard(data.registry.cluster(shard.name))

    async def ready(self) -> None:
        """Give all rows their months, and link them."""
        assert (await sweeps.make_partitions(self.worker)).failed == ()
        await self.link()

    async def archives(self) -> dict[tuple[str, date], dict[str, Any]]:
        """What the global database says of each archive."""
        rows = await self.sql(
            "SELECT * FROM docshard.audit_archives", of=self.workplace.fleet.global_db
        )
        return {(row["cluster"], row["month"]): row for row in rows}

    async def partitions(self) -> set[str]:
        """Months that have a table on the shard, attached or not."""
        rows = await self.sql("SELECT * FROM docshard.audit_months()")
        return {f"{row['month']:%Y-%m}" for row in rows}

    async def stored(self, prefix: str) -> dict[str, list[dict[str, Any]]]:
        """The objects of the archive under a prefix, unpacked and proven, by key."""
        blobs = self.worker.blobs
        keys = [key async for page in blobs.list_keys(prefix) for key in page]
        return {key: await unpacked(blobs, key) for key in keys}


async def unpacked(blobs: BlobStore, key: str) -> list[dict[str, Any]]:
    """The rows of an object, each proven by its hashes."""
    content = b"".join([chunk async for chunk in await blobs.open_stream(key)])
    reader = audit_lines.Reader()
    read = [reader.read(line) for line in gzip.decompress(content).splitlines()]
    return [row for row in read if row is not None]


@asynccontextmanager
async def old_fleet(workplace: Workplace) -> AsyncIterator[OldFleet]:
    """With a worker of its own."""
    async with workplace.process(DatabaseRole.WORKER) as worker:
        yield OldFleet(workplace, worker)
