"""Lists of the global database reach their rows through indexes, however they were prepared."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg.rows import dict_row
from psycopg.types.json import JsonbDumper

from global_db import audit_pages, clients, users
from global_db.audit_pages import GlobalAuditFilter
from global_db.audit_walk import AuditPosition
from global_db.clients import ClientFilter
from global_db.connection import ReadConnection
from global_db.users import UserFilter
from tests.integration.explaining import Explaining, ExplainingForAny, nodes
from tests.integration.postgres import APP, Database, Postgres

ROWS = 20_000
PAGE = 25
_FILL = (
    """
    INSERT INTO docshard.shards (name, nodes) VALUES ('shard-1', '[]')
    """,
    """
    INSERT INTO docshard.clients (id, code, name, metadata, status, shard, deleted_at)
    SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'client-' || n,
           'a client',
           jsonb_build_object('number', n, 'address', jsonb_build_object('town', 't ' || n % 2000)),
           CASE WHEN n % 500 = 0 THEN 'suspended' WHEN n % 300 = 0 THEN 'inactive'
                ELSE 'active' END, 'shard-1', CASE WHEN n % 11 = 0 THEN now() END
      FROM generate_series(1, ROWS) AS n
    """,
    """
    INSERT INTO docshard.users (id, email, email_index, is_active, deleted_at)
    SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'sealed',
           sha256(n::text::bytea), n % 500 <> 0, CASE WHEN n % 300 = 0 THEN now() END
      FROM generate_series(1, ROWS) AS n
    """,
    """
    INSERT INTO docshard.audit_logs (id, user_id, client_id, action, entity_type, entity_id,
                                     created_at)
    SELECT gen_random_uuid(),
           ('01900000-0000-7000-8000-' || lpad(to_hex(1 + n % 100), 12, '0'))::uuid,
           ('01900000-0000-7000-8000-' || lpad(to_hex(1 + n % 200), 12, '0'))::uuid,
           CASE WHEN n % 100 = 0 THEN 'client.delete' ELSE 'auth.login' END, 'user',
           ('01900000-0000-7000-8000-' || lpad(to_hex(1 + n % 1000), 12, '0'))::uuid,
           date_trunc('month', now()) + make_interval(secs => n)
      FROM generate_series(1, ROWS) AS n
    """,
    "VACUUM (ANALYZE)",
)


@pytest.fixture(scope="module")
def crowded(postgres: Postgres) -> Iterator[Database]:
    with postgres.database("template_global") as database:
        yield database


@pytest.fixture(scope="module")
async def filled(crowded: Database) -> Database:
    async with crowded.session() as superuser:
        for statement in _FILL:
            await superuser.execute(statement.replace("ROWS", str(ROWS)).encode())
    return crowded


@pytest.fixture(params=[Explaining, ExplainingForAny], ids=["these values", "any values"])
async def session(request: pytest.FixtureRequest, filled: Database) -> AsyncIterator[Explaining]:
    kind: type[Explaining] = request.param
    conninfo = filled.conninfo(APP)
    async with await kind.connect(conninfo, autocommit=True, row_factory=dict_row) as connection:
        connection.adapters.register_dumper(dict, JsonbDumper)
        yield connection


def client(number: int) -> UUID:
    return UUID(int=(0x01900000_0000_7000_8000 << 48) + number)


def used(session: Explaining) -> set[str]:
    """Names of the indexes in every plan since the last look; fails at a scan of a whole table."""
    found: set[str] = set()
    for plan in session.plans:
        for node in nodes(plan):
            assert node["Node Type"] != "Seq Scan", plan
            found |= {node["Index Name"]} if "Index Name" in node else set()
    session.plans.clear()
    return found


async def clients_of(session: Explaining, **wanted: Any) -> list[clients.Client]:
    return await clients.newest(ReadConnection(session), ClientFilter(**wanted), None, PAGE)


async def test_metadata_search_uses_its_gin_index(session: Explaining) -> None:
    found = await clients_of(session, metadata={"number": 4242})
    assert [one.id for one in found] == [client(4242)]
    assert "idx_clients_metadata" in used(session)
    found = await clients_of(session, metadata={"address": {"town": "t 7"}})
    assert [one.id for one in found] == [client(n) for n in range(18007, 0, -2000) if n % 11]
    assert "idx_clients_metadata" in used(session)


async def test_metadata_that_nobody_has_costs_nothing(session: Explaining) -> None:
    assert await clients_of(session, metadata={"number": -1}) == []
    assert "idx_clients_metadata" in used(session)


async def test_clients_by_status_code_and_for_whom(session: Explaining) -> None:
    suspended = await clients_of(session, status="suspended")
    assert [one.id for one in suspended][:2] == [client(20_000), client(19_500)]
    assert used(session) & {"idx_clients_status"}
    assert [one.id for one in await clients_of(session, code="client-77")] == []
    assert [one.id for one in await clients_of(session, code="client-78")] == [client(78)]
    assert used(session) == {"idx_clients_code_unique"}
    visible = (client(5), client(6), client(11))
    assert [one.id for one in await clients_of(session, visible=visible)] == [client(6), client(5)]
    assert used(session) == {"pk_clients"}


async def test_a_page_of_all_clients_costs_its_own_rows(session: Explaining) -> None:
    for before in (None, client(10_000)):
        page = await clients.newest(ReadConnection(session), ClientFilter(), before, PAGE)
        assert len(page) == PAGE
        for plan in session.plans:
            assert not any(node["Node Type"] == "Sort" for node in nodes(plan))
        assert used(session) == {"pk_clients"}


async def test_users_by_address_and_activity(session: Explaining) -> None:
    async def found(wanted: UserFilter) -> list[UUID]:
        page = await users.newest(ReadConnection(session), wanted, None, PAGE)
        return [user.id for user in page]

    index = hashlib.sha256(b"4243").digest()
    assert await found(UserFilter(email_index=index)) == [client(4243)]
    assert used(session) == {"idx_users_email_unique"}
    assert (await found(UserFilter(is_active=True)))[0] == client(19_999)
    assert used(session) == {"idx_users_active"}
    assert (await found(UserFilter()))[0] == client(20_000)
    assert used(session) == {"pk_users"}


async def test_the_audit_log_by_each_filter(session: Explaining) -> None:
    reads = ReadConnection(session)
    newest = (await audit_pages.newest(reads, GlobalAuditFilter(), None, PAGE)).rows
    assert [row.created_at for row in newest] == sorted(
        (row.created_at for row in newest), reverse=True
    )
    middle = (await audit_pages.newest(reads, GlobalAuditFilter(), None, 200)).rows[-1]
    position = AuditPosition(middle.created_at, middle.id)
    for wanted in (
        GlobalAuditFilter(user_id=client(7)),
        GlobalAuditFilter(client_id=client(7)),
        GlobalAuditFilter(entity_id=client(7)),
        GlobalAuditFilter(action="client.delete"),
        GlobalAuditFilter(entity_type="user"),
        GlobalAuditFilter(
            since=middle.created_at - timedelta(hours=1),
            until=middle.created_at + timedelta(hours=1),
        ),
    ):
        for before in (None, position):
            page = (await audit_pages.newest(reads, wanted, before, PAGE)).rows
            assert page
            for name in ("user_id", "client_id", "entity_id", "action"):
                assert {getattr(row, name) for row in page} & {
                    getattr(wanted, name) or getattr(page[0], name)
                }
            assert before is None or page[0].created_at < before.created_at
    for plan in session.plans:
        for node in nodes(plan):
            empty = node.get("Relation Name") != f"audit_logs_{middle.created_at:%Y_%m}"
            assert empty or node["Node Type"] != "Seq Scan", plan
