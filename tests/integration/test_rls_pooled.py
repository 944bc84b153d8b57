"""I4 through a real PgBouncer in transaction mode: every kind of statement sees one tenant only.

All sessions share one server connection, so whatever a transaction left behind would be found by
the next one, of whomever.
"""

from __future__ import annotations

from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import errors, sql

from global_db.connection import RawConnection
from shards.tables import TENANT_TABLES
from tests.integration.pooled_pair import Two, assert_clean, backend, enter, owners
from tests.integration.rows import qualified

pytestmark = pytest.mark.versions

each_table = pytest.mark.parametrize("table", TENANT_TABLES, ids=lambda table: table.name)


async def test_both_clients_share_one_server_connection(two: Two) -> None:
    """What the other tests rest on."""
    assert await backend(two.one) == await backend(two.other)


# Every kind of statement


READS: tuple[LiteralString, ...] = (
    "SELECT client_id FROM docshard.documents",
    "SELECT d.client_id FROM docshard.documents d FULL JOIN docshard.audit_logs a"
    " ON a.entity_id = d.id WHERE d.client_id IS NOT NULL",
    "SELECT a.client_id FROM docshard.documents d, docshard.audit_logs a",
    "SELECT v.client_id FROM docshard.document_versions v NATURAL JOIN docshard.documents d"
    " UNION SELECT client_id FROM docshard.document_versions",
    "SELECT client_id FROM docshard.by_owner",
    "SELECT client_id FROM docshard.by_caller",
    "SELECT client_id FROM docshard.hasty",
    "SELECT client_id FROM docshard.as_caller() AS client_id",
    "SELECT client_id FROM docshard.as_owner() AS client_id",
    "SELECT client_id FROM docshard.by_text('SELECT client_id FROM docshard.documents')"
    " AS client_id",
    "SELECT client_id FROM docshard.by_text('SELECT client_id FROM docshard.documents"
    " WHERE true OR client_id IS NULL') AS client_id",
    "WITH RECURSIVE r AS (SELECT client_id, 1 AS n FROM docshard.documents UNION ALL"
    " SELECT d.client_id, n + 1 FROM docshard.documents d, r WHERE n < 3) SELECT client_id FROM r",
    "SELECT (jsonb_populate_record(null::docshard.documents, to_jsonb(d))).client_id"
    " FROM docshard.documents d",
    "SELECT client_id FROM docshard.documents TABLESAMPLE SYSTEM (100)",
    "TABLE docshard.documents",
    "SELECT client_id FROM docshard.documents FOR SHARE",
)


@pytest.mark.parametrize("statement", READS)
async def test_reads_of_every_kind(two: Two, statement: LiteralString) -> None:
    for session, tenant in ((two.one, two.a), (two.other, two.b)):
        assert await owners(session, statement) == set()
        async with session.transaction():
            await enter(session, tenant)
            assert await owners(session, statement) == {tenant.client_id}
        await assert_clean(session)


WRITES: tuple[LiteralString, ...] = (
    "UPDATE docshard.documents d SET original_name = 'changed' FROM docshard.document_versions v"
    " WHERE v.document_id = d.id OR true RETURNING d.client_id",
    "UPDATE docshard.documents SET original_name = 'changed' WHERE id = ANY"
    " (SELECT document_id FROM docshard.document_versions) OR true RETURNING client_id",
    "DELETE FROM docshard.uploads u USING docshard.documents d RETURNING u.client_id",
    "WITH gone AS (DELETE FROM docshard.idempotency_keys RETURNING client_id)"
    " SELECT client_id FROM gone",
    "MERGE INTO docshard.documents d USING docshard.document_versions v ON v.document_id = d.id"
    " WHEN MATCHED THEN UPDATE SET original_name = 'merged'",
    "INSERT INTO docshard.documents (client_id, id, original_name, mime_type, created_by)"
    " SELECT client_id, gen_random_uuid(), original_name, mime_type, created_by"
    " FROM docshard.documents RETURNING client_id",
    "INSERT INTO docshard.documents (client_id, id, original_name, mime_type, created_by)"
    " SELECT client_id, id, 'again', mime_type, created_by FROM docshard.documents"
    " ON CONFLICT (client_id, id) DO UPDATE SET original_name = excluded.original_name"
    " RETURNING client_id",
)
REFUSED: tuple[LiteralString, ...] = (
    # It reads no column of its target, so that no policy hides rows from it: they refuse instead.
    "MERGE INTO docshard.documents d USING docshard.document_versions v ON true"
    " WHEN MATCHED THEN UPDATE SET original_name = 'merged'",
    # The right to read a view is none to write through it.
    "UPDATE docshard.by_owner SET original_name = 'through a view' RETURNING client_id",
    "TRUNCATE docshard.documents CASCADE",
    "SELECT docshard.enter_write(gen_random_uuid(), 1)",
    "SET ROLE docshard_owner",
    "SET row_security = off; SELECT client_id FROM docshard.documents",
    "ALTER TABLE docshard.documents DISABLE ROW LEVEL SECURITY",
    "SET session_replication_role = replica",
)


@pytest.mark.parametrize("statement", WRITES)
async def test_writes_of_every_kind(two: Two, statement: LiteralString) -> None:
    before, mine = await two.rows(two.b), await two.rows(two.a)
    async with two.one.transaction():
        await enter(two.one, two.a)
        cursor = await two.one.execute(statement)
        if cursor.description is not None:
            assert {row["client_id"] for row in await cursor.fetchall()} == {two.a.client_id}
    assert await two.rows(two.a) != mine
    assert await two.rows(two.b) == before
    await assert_clean(two.other)


@pytest.mark.parametrize("statement", REFUSED)
async def test_what_would_reach_further_is_refused(two: Two, statement: LiteralString) -> None:
    before = await two.rows(two.a), await two.rows(two.b)
    with pytest.raises(psycopg.Error) as refused:
        async with two.one.transaction():
            await enter(two.one, two.a)
            await two.one.execute(statement)
    assert refused.value.sqlstate in {"42501", "DS001"}
    assert (await two.rows(two.a), await two.rows(two.b)) == before
    await assert_clean(two.other)


@pytest.mark.parametrize("statement", WRITES)
async def test_writes_without_a_tenant_change_nothing(two: Two, statement: LiteralString) -> None:
    before = await two.rows(two.a), await two.rows(two.b)
    with pytest.raises(psycopg.Error) as refused:
        await two.one.execute(statement)
    assert refused.value.sqlstate == "DS005"  # the fence was not entered
    assert (await two.rows(two.a), await two.rows(two.b)) == before


async def test_on_conflict_neither_takes_nor_tells_of_a_neighbours_row(two: Two) -> None:
    """The same refusal whether the neighbour's row exists or not."""
    insert: LiteralString = (
        "INSERT INTO docshard.documents (client_id, id, original_name, mime_type, created_by)"
        " VALUES (%s, %s, 'taken', 'text/plain', %s) ON CONFLICT (client_id, id) "
    )
    told = []
    for action in ("DO NOTHING", "DO UPDATE SET original_name = 'taken'"):
        for document_id in (two.b.document_id, uuid4()):
            with pytest.raises(errors.InsufficientPrivilege) as refused:
                async with two.one.transaction():
                    await enter(two.one, two.a)
                    await two.one.execute(
                        (insert + action).encode(),
                        [two.b.client_id, document_id, two.a.client_id],
                    )
            told.append(str(refused.value))
    assert len(set(told)) == 1
    before = await two.rows(two.b)
    async with two.one.transaction():
        await enter(two.one, two.a)
        await two.one.execute(
            (insert + "DO UPDATE SET original_name = 'taken'").encode(),
            [two.a.client_id, two.b.document_id, two.a.client_id],
        )
    assert await two.rows(two.b) == before


# COPY


@each_table
async def test_copy_out_gives_one_tenant(two: Two, table: sa.Table) -> None:
    name = qualified(table)
    for statement in (
        sql.SQL("COPY {} (client_id) TO STDOUT").format(name),
        sql.SQL("COPY (SELECT client_id FROM {}) TO STDOUT").format(name),
    ):
        if table.name == "audit_logs" and b"(SELECT" not in statement.as_bytes(None):
            continue  # a partitioned table is copied by query only
        assert await copied(two.one, statement) == set()
        async with two.one.transaction():
            await enter(two.one, two.a)
            assert await copied(two.one, statement) == {str(two.a.client_id)}
        assert await copied(two.other, statement) == set()


async def copied(session: RawConnection, statement: sql.Composed) -> set[str]:
    async with session.cursor().copy(statement) as copy:
        return {bytes(block).decode().strip() async for block in copy}


@each_table
async def test_copy_in_is_refused(two: Two, table: sa.Table) -> None:
    """PostgreSQL checks no policy row by row there, so it refuses the whole."""
    statement = sql.SQL("COPY {} (client_id) FROM STDIN").format(qualified(table))
    for tenant in (two.a, two.b):
        with pytest.raises((errors.FeatureNotSupported, errors.InsufficientPrivilege)):
            async with two.one.transaction():
                await enter(two.one, two.a)
                async with two.one.cursor().copy(statement) as copy:
                    await copy.write_row([tenant.client_id])
    await assert_clean(two.one)
