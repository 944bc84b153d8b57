"""The registry of tenant tables against the catalog: none may miss its wall or its guard."""

import re
from typing import Any, LiteralString

import pytest
import sqlalchemy as sa
from psycopg.rows import tuple_row

from shards.tables import TENANT_TABLES, audit_logs, residency
from tests.integration.databases import ShardDatabase
from tests.integration.postgres import APP, WORKER

pytestmark = pytest.mark.versions

each_table = pytest.mark.parametrize("table", TENANT_TABLES, ids=lambda table: table.name)
SETTING = "NULLIF(current_setting('app.client_id'::text, true), ''::text)"
INSERT_ROW, UPDATE_ROW, DELETE_ROW, TRUNCATE = 1 << 2, 1 << 4, 1 << 3, 1 << 5


async def rows(shard: ShardDatabase, statement: LiteralString, *values: Any) -> list[Any]:
    async with shard.session() as session, session.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(statement, values)
        return await cursor.fetchall()


async def test_every_table_of_tenants_is_registered(module_shard: ShardDatabase) -> None:
    found = await rows(
        module_shard,
        """
        SELECT c.relname FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'client_id'
         WHERE c.relnamespace = 'docshard'::regnamespace AND NOT c.relispartition
           AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        """,
    )
    assert {name for (name,) in found} == {t.name for t in (*TENANT_TABLES, residency)}


@each_table
async def test_row_level_security_is_forced(module_shard: ShardDatabase, table: sa.Table) -> None:
    flags = await rows(
        module_shard,
        "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass",
        table.fullname,
    )
    assert flags == [(True, True)]
    policies = await rows(
        module_shard,
        """
        SELECT policyname, permissive, roles, cmd, qual, with_check FROM pg_policies
         WHERE schemaname = 'docshard' AND tablename = %s AND roles <> '{docshard_worker}'
        """,
        table.name,
    )
    ((name, kind, roles, command, seen, written),) = policies
    assert (name, kind, roles, command) == ("tenant", "PERMISSIVE", ["public"], "ALL")
    # The same tenant, for rows that are seen asked for once in a statement.
    assert written == f"(client_id = ({SETTING})::uuid)"
    assert re.fullmatch(
        rf'\(client_id = \( SELECT \({re.escape(SETTING)}\)::uuid AS "?nullif"?\)\)', seen
    )


@each_table
async def test_the_guard_stands_behind_every_change(
    module_shard: ShardDatabase, table: sa.Table
) -> None:
    found = await rows(
        module_shard,
        """
        SELECT tgname, tgenabled, (tgtype & 1) = 1, (tgtype & 2) = 2, tgtype & 60, tgqual
          FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname LIKE 'guard%%' ORDER BY tgname
        """,
        table.fullname,
    )
    rows_changed = INSERT_ROW | UPDATE_ROW | DELETE_ROW
    # Name, fires in ordinary sessions, for each row, before, on what, only when.
    assert found == [
        ("guard_fence", "O", False, False, rows_changed | TRUNCATE, None),
        ("guard_row", "O", True, False, rows_changed, None),
    ]


@each_table
async def test_every_key_and_index_leads_with_the_tenant(
    module_shard: ShardDatabase, table: sa.Table
) -> None:
    found = await rows(
        module_shard,
        """
        SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid, 1, true)
          FROM pg_index i WHERE i.indrelid = %s::regclass
        """,
        table.fullname,
    )
    # The keys of names begin with their tenant.
    leading = {"client_id", "docshard.name_keys(client_id, original_name)"}
    others = {name for name, lead in found if lead not in leading}
    # The newest entries of all tenants have an order of their own: decision 0018.
    assert others == ({"docshard.idx_audit_logs_time"} if table is audit_logs else set())


@pytest.mark.parametrize("role", [APP, WORKER])
async def test_who_serves_is_neither_owner_nor_above_the_wall(
    module_shard: ShardDatabase, role: str
) -> None:
    attributes = await rows(
        module_shard,
        """
        SELECT rolsuper, rolbypassrls, rolcreaterole, rolreplication,
               EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid),
               EXISTS (SELECT FROM pg_class WHERE relowner = r.oid)
          FROM pg_roles r WHERE rolname = %s
        """,
        role,
    )
    assert attributes == [(False,) * 6]


async def test_nobody_may_run_what_passes_the_wall(module_shard: ShardDatabase) -> None:
    """A SECURITY DEFINER function fixes its search_path, and PUBLIC may not run it."""
    found = await rows(
        module_shard,
        """
        SELECT p.proname, p.proconfig::text LIKE '%%search_path=pg_catalog, pg_temp%%',
               has_function_privilege('docshard_probe', p.oid, 'EXECUTE')
          FROM pg_proc p WHERE pronamespace = 'docshard'::regnamespace AND prosecdef
        """,
    )
    assert {name for name, _, _ in found} == {
        "admit",
        "ancestors",
        "audit_month_page",
        "audit_months",
        "detach_audit_month",
        "detached_audit_rows",
        "drop_audit_month",
        "make_audit_partition",
        "match_documents",
        "newest_audit_rows",
        "next_audit_tenant",
        "pooler_login",
        "publish",
        "purge_document",
        "queue_audit_row",
        "settle_audit_month",
        "stray_audit_months",
        "subscribe",
        "timeline",
        "unpublish",
        "unsubscribe",
    }
    assert {(fixed, public) for _, fixed, public in found} == {(True, False)}


@pytest.mark.parametrize("role", [APP, WORKER])
async def test_a_partition_is_reached_through_its_root_only(
    module_shard: ShardDatabase, role: str
) -> None:
    reached = await rows(
        module_shard,
        """
        SELECT relid::regclass::text FROM pg_partition_tree('docshard.audit_logs')
         WHERE isleaf AND has_table_privilege(
            %s, relid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
        """,
        role,
    )
    assert reached == []
