"""I4: nobody reads another tenant's row. Row-level security, table by table from the registry."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

import pytest
import sqlalchemy as sa
from psycopg import errors, sql

from global_db.connection import RawConnection
from shards.tables import TENANT_TABLES, documents
from tests.integration.databases import ShardDatabase
from tests.integration.postgres import APP, WORKER
from tests.integration.rows import insert, insert_everywhere, qualified, sample
from tests.integration.scene import STALE_EPOCH, refusal

pytestmark = pytest.mark.versions

each_table = pytest.mark.parametrize("table", TENANT_TABLES, ids=lambda table: table.name)
# What the worker sees across tenants, to find what has expired.
OPEN_TO_WORKERS = {"uploads", "idempotency_keys", "purged_blobs", "audit_chain", "audit_pending"}
REMOVABLE = {"uploads", "idempotency_keys"}  # by the application; the rest is not at all


@dataclass(frozen=True)
class Tenant:
    client_id: UUID
    document_id: UUID


@dataclass(frozen=True)
class Neighbours:
    """Two tenants with a row in every table, and a session of the application."""

    a: Tenant
    b: Tenant
    app: RawConnection
    worker: RawConnection


@pytest.fixture(scope="module")
async def two(module_shard: ShardDatabase) -> AsyncIterator[Neighbours]:
    async with (
        module_shard.session() as superuser,
        module_shard.session(APP) as app,
        module_shard.session(WORKER) as worker,
    ):
        a, b = [await new_tenant(module_shard, superuser) for _ in range(2)]
        yield Neighbours(a, b, app, worker)


async def new_tenant(shard: ShardDatabase, superuser: RawConnection) -> Tenant:
    client_id = await shard.admit()
    return Tenant(client_id, await insert_everywhere(superuser, client_id))


async def enter(session: RawConnection, tenant: Tenant) -> None:
    await session.execute("SELECT docshard.enter_write(%s, 1)", [tenant.client_id])


async def owners(session: RawConnection, table: sa.Table) -> set[UUID]:
    statement = sql.SQL("SELECT client_id FROM {}").format(qualified(table))
    cursor = await session.execute(statement)
    return {row["client_id"] for row in await cursor.fetchall()}


@each_table
async def test_without_a_tenant_nothing_is_seen(two: Neighbours, table: sa.Table) -> None:
    assert await owners(two.app, table) == set()
    if table.name not in OPEN_TO_WORKERS:
        assert await owners(two.worker, table) == set()


@each_table
async def test_what_a_pooled_connection_left_behind_shows_nothing(
    two: Neighbours, table: sa.Table
) -> None:
    async with two.app.transaction():
        await enter(two.app, two.a)
    cursor = await two.app.execute("SELECT current_setting('app.client_id', true) AS left")
    assert await cursor.fetchone() == {"left": ""}
    assert await owners(two.app, table) == set()


@each_table
async def test_a_tenant_sees_its_own(two: Neighbours, table: sa.Table) -> None:
    for tenant in (two.a, two.b):
        async with two.app.transaction():
            await enter(two.app, tenant)
            assert await owners(two.app, table) == {tenant.client_id}


@each_table
async def test_no_row_is_added_for_a_neighbour(two: Neighbours, table: sa.Table) -> None:
    for session in (two.app, two.worker):
        with pytest.raises(errors.InsufficientPrivilege):
            async with session.transaction():
                await enter(session, two.a)
                row = sample(table, two.b.client_id, two.b.document_id)
                await insert(session, table, row)


@each_table
async def test_no_row_is_given_to_a_neighbour(two: Neighbours, table: sa.Table) -> None:
    statement = sql.SQL("UPDATE {} SET client_id = %s").format(qualified(table))
    for session in (two.app, two.worker):
        with pytest.raises(errors.InsufficientPrivilege):
            async with session.transaction():
                await enter(session, two.a)
                await session.execute(statement, [two.b.client_id])


@each_table
async def test_a_tenant_removes_nothing_of_a_neighbour(two: Neighbours, table: sa.Table) -> None:
    statement = sql.SQL("DELETE FROM {} RETURNING client_id").format(qualified(table))
    try:
        async with two.app.transaction(force_rollback=True):
            await enter(two.app, two.a)
            cursor = await two.app.execute(statement)
            assert await cursor.fetchall() == [{"client_id": two.a.client_id}]
    except errors.InsufficientPrivilege:
        assert table.name not in REMOVABLE
    async with two.app.transaction():
        await enter(two.app, two.b)
        assert await owners(two.app, table) == {two.b.client_id}


FORMS: tuple[LiteralString, ...] = (
    "SELECT v.client_id FROM docshard.documents d JOIN docshard.document_versions v"
    " ON v.document_id = d.id",
    "SELECT v.client_id FROM docshard.document_versions v"
    " LEFT JOIN docshard.documents d ON d.client_id <> v.client_id",
    "SELECT client_id FROM docshard.documents WHERE id IN"
    " (SELECT document_id FROM docshard.document_versions)",
    "SELECT (SELECT max(client_id::text)::uuid FROM docshard.uploads) AS client_id",
    "SELECT client_id FROM docshard.uploads WHERE EXISTS (SELECT FROM docshard.audit_logs)",
    "WITH all_rows AS MATERIALIZED (SELECT * FROM docshard.audit_logs)"
    " SELECT client_id FROM all_rows",
    "SELECT client_id FROM docshard.documents UNION ALL SELECT client_id FROM docshard.uploads",
    "SELECT client_id FROM docshard.documents WHERE client_id = client_id OR true",
    "SELECT client_id FROM docshard.documents GROUP BY client_id HAVING count(*) > 0",
    "SELECT d.client_id FROM docshard.documents d, LATERAL"
    " (SELECT FROM docshard.uploads u WHERE u.client_id IS NOT NULL) AS u",
    "UPDATE docshard.documents d SET original_name = 'b' FROM docshard.document_versions v"
    " WHERE v.document_id = d.id OR true RETURNING v.client_id",
    "UPDATE docshard.documents SET original_name = 'b' RETURNING client_id",
    "DELETE FROM docshard.uploads u USING docshard.documents d WHERE true RETURNING d.client_id",
    "SELECT client_id FROM docshard.documents FOR UPDATE",
)


@pytest.mark.parametrize("statement", FORMS)
async def test_no_form_of_a_statement_sees_further(
    two: Neighbours, statement: LiteralString
) -> None:
    for tenant in (two.a, two.b):
        async with two.app.transaction(force_rollback=True):
            await enter(two.app, tenant)
            cursor = await two.app.execute(statement)
            assert {row["client_id"] for row in await cursor.fetchall()} == {tenant.client_id}


@pytest.mark.parametrize("mode", ["auto", "force_generic_plan", "force_custom_plan"])
async def test_a_prepared_plan_of_one_tenant_serves_the_next(two: Neighbours, mode: str) -> None:
    await two.app.execute("SELECT set_config('plan_cache_mode', %s, false)", [mode])
    for tenant in (two.a, two.b) * 7:
        async with two.app.transaction():
            await enter(two.app, tenant)
            cursor = await two.app.execute(
                "SELECT client_id FROM docshard.documents WHERE id = ANY(%s)",
                [[two.a.document_id, two.b.document_id]],
                prepare=True,
            )
            assert await cursor.fetchall() == [{"client_id": tenant.client_id}]
    await two.app.execute("RESET plan_cache_mode")


async def test_a_tenant_entered_halfway_is_seen_from_there_on(two: Neighbours) -> None:
    async with two.app.transaction():
        for tenant in (two.a, two.b, two.a):
            await enter(two.app, tenant)
            assert await owners(two.app, documents) == {tenant.client_id}


async def test_a_refused_entry_leaves_no_door_open(two: Neighbours) -> None:
    """A savepoint undoes what was set; the tenant entered before stays the one entered."""
    async with two.app.transaction():
        await enter(two.app, two.a)
        with refusal(STALE_EPOCH):
            async with two.app.transaction():
                await two.app.execute("SELECT docshard.enter_write(%s, 99)", [two.b.client_id])
        assert await owners(two.app, documents) == {two.a.client_id}


async def test_a_foreign_key_reaches_no_neighbour(two: Neighbours) -> None:
    """A version of A that names B's document finds no such document."""
    versions = next(table for table in TENANT_TABLES if table.name == "document_versions")
    with pytest.raises(errors.ForeignKeyViolation):
        async with two.app.transaction():
            await enter(two.app, two.a)
            await insert(two.app, versions, sample(versions, two.a.client_id, two.b.document_id))
