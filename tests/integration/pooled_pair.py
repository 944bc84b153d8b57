"""Two tenants whose clients share one server connection of a real PgBouncer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import pytest
from psycopg import sql

from global_db.connection import RawConnection
from shards.tables import TENANT_TABLES
from tests.integration.pooler import Pooled, PoolerMissing, pooled, until_it_answers
from tests.integration.postgres import ADMIN, Postgres, Site
from tests.integration.rows import insert_everywhere, qualified
from tests.lacking import lacking

_BACKEND = "SELECT pg_backend_pid() AS pid"
_LEFT = "SELECT nullif(current_setting('app.client_id', true), '') AS left"

# Views and functions that somebody may add one day, by their owner's rights and by their caller's.
_ADDITIONS: tuple[LiteralString, ...] = (
    "SET ROLE docshard_owner",
    "CREATE VIEW docshard.by_owner AS SELECT * FROM docshard.documents",
    "CREATE VIEW docshard.by_caller WITH (security_invoker = true) AS"
    " SELECT d.* FROM docshard.documents d JOIN docshard.audit_logs a ON true",
    "CREATE VIEW docshard.hasty WITH (security_barrier = false) AS"
    " SELECT v.client_id, d.id FROM docshard.document_versions v, docshard.documents d",
    "CREATE FUNCTION docshard.as_caller() RETURNS SETOF uuid LANGUAGE sql STABLE"
    " AS 'SELECT client_id FROM docshard.documents'",
    "CREATE FUNCTION docshard.as_owner() RETURNS SETOF uuid LANGUAGE sql SECURITY DEFINER"
    " AS 'SELECT client_id FROM docshard.documents'",
    "CREATE FUNCTION docshard.by_text(text) RETURNS SETOF uuid LANGUAGE plpgsql SECURITY DEFINER"
    " AS 'BEGIN RETURN QUERY EXECUTE $1; END'",
    "GRANT SELECT ON docshard.by_owner, docshard.by_caller, docshard.hasty TO docshard_app",
    "RESET ROLE",
)


@dataclass(frozen=True)
class Tenant:
    client_id: UUID
    document_id: UUID


@dataclass(frozen=True)
class Two:
    """Two tenants with rows everywhere, two clients of the pooler, and one who sees all."""

    pooled: Pooled
    a: Tenant
    b: Tenant
    one: RawConnection
    other: RawConnection
    superuser: RawConnection

    async def rows(self, tenant: Tenant) -> dict[str, list[dict[str, Any]]]:
        """All that a tenant has, by table."""
        found = {}
        for table in TENANT_TABLES:
            statement = sql.SQL("SELECT * FROM {} WHERE client_id = %s ORDER BY 2")
            cursor = await self.superuser.execute(
                statement.format(qualified(table)), [tenant.client_id]
            )
            found[table.name] = await cursor.fetchall()
        return found


@pytest.fixture(scope="module", name="pooler")
def make_pooler(postgres_site: Site, postgres: Postgres) -> Iterator[Pooled]:
    try:
        with pooled(postgres_site, postgres) as made:
            yield made
    except PoolerMissing as missing:
        lacking(str(missing))


@pytest.fixture(scope="module", name="dressed")
async def dress(pooler: Pooled) -> Pooled:
    await until_it_answers(pooler)
    async with pooler.shard.session(ADMIN) as admin:
        for statement in _ADDITIONS:
            await admin.execute(statement)
    return pooler


@pytest.fixture(name="two")
async def make_two(dressed: Pooled) -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        superuser = await stack.enter_async_context(dressed.shard.session())
        one, other = [await stack.enter_async_context(dressed.session()) for _ in range(2)]
        a, b = [await _tenant(dressed, superuser) for _ in range(2)]
        yield Two(dressed, a, b, one, other, superuser)


async def _tenant(made: Pooled, superuser: RawConnection) -> Tenant:
    client_id = await made.shard.admit()
    return Tenant(client_id, await insert_everywhere(superuser, client_id))


async def enter(session: RawConnection, tenant: Tenant) -> None:
    await session.execute("SELECT docshard.enter_write(%s, 1)", [tenant.client_id])


async def owners(session: RawConnection, statement: sql.Composed | LiteralString) -> set[UUID]:
    cursor = await session.execute(statement)
    return {row["client_id"] for row in await cursor.fetchall()}


async def assert_clean(session: RawConnection) -> None:
    """The session's next transaction finds no tenant, and nothing of any."""
    cursor = await session.execute(_LEFT)
    assert await cursor.fetchone() == {"left": None}
    for table in TENANT_TABLES:
        statement = sql.SQL("SELECT client_id FROM {}").format(qualified(table))
        assert await owners(session, statement) == set(), table.name


async def backend(session: RawConnection) -> int:
    row = await (await session.execute(_BACKEND)).fetchone()
    assert row is not None
    return int(row["pid"])
