"""I4: what one transaction set, prepared or left undone never reaches the next one.

Through a real PgBouncer in transaction mode, all of them on one server connection.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors, sql

from global_db.transaction import transaction
from shards.tables import TENANT_TABLES, documents
from tests.integration.pooled_pair import Two, assert_clean, backend, enter, owners
from tests.integration.rows import qualified
from tests.integration.waiting import until

pytestmark = pytest.mark.versions


# Prepared and pipelined


@pytest.mark.parametrize("mode", ["auto", "force_generic_plan", "force_custom_plan"])
async def test_what_one_client_prepared_serves_the_other_its_own_rows(two: Two, mode: str) -> None:
    """A prepared statement stays with the server connection, and so does its plan."""
    name = sql.Identifier(f"kept_{uuid4().hex}")
    prepare = sql.SQL("PREPARE {} (uuid[]) AS SELECT client_id FROM docshard.documents")
    await two.one.execute(prepare.format(name))
    both = [two.a.document_id, two.b.document_id]
    run = sql.SQL("EXECUTE {} (ARRAY[{}]::uuid[])").format(
        name, sql.SQL(", ").join(map(sql.Literal, both))
    )
    for session, tenant in ((two.one, two.a), (two.other, two.b)) * 7:
        async with session.transaction():
            await session.execute(
                sql.SQL("SET LOCAL plan_cache_mode = {}").format(sql.Literal(mode))
            )
            await enter(session, tenant)
            assert await owners(session, run) == {tenant.client_id}
        assert await owners(session, run) == set()


async def test_pipelined_statements_stay_with_their_tenant(two: Two) -> None:
    """Many times over: a transaction that did not give its connection back would starve the next.

    I9, I10.
    """
    for session, tenant in ((two.one, two.a), (two.other, two.b)) * 50:
        # The service's own way.
        async with transaction(session) as connection:
            await connection.settle()
            await enter(session, tenant)
            cursors = [
                await session.execute(sql.SQL("SELECT client_id FROM {}").format(qualified(table)))
                for table in TENANT_TABLES
            ]
            for cursor in cursors:
                found = {row["client_id"] for row in await cursor.fetchall()}
                assert found == {tenant.client_id}
    for session in (two.one, two.other):
        await assert_clean(session)


# Nothing is left behind


async def test_interleaved_tenants_never_meet(two: Two) -> None:
    """Transactions of both, in any order, through one server connection."""
    chance = random.Random(20)
    documents_of = sql.SQL("SELECT client_id FROM {}").format(qualified(documents))
    for _ in range(60):
        session = chance.choice((two.one, two.other))
        tenant = chance.choice((two.a, two.b))
        entry = chance.choice(("enter", "enter_write"))
        async with session.transaction(force_rollback=chance.random() < 0.3):
            await session.execute(
                sql.SQL("SELECT docshard.{}(%s, 1)").format(sql.Identifier(entry)),
                [tenant.client_id],
            )
            assert await owners(session, documents_of) == {tenant.client_id}
        assert await owners(chance.choice((two.one, two.other)), documents_of) == set()


async def test_nothing_is_left_by_a_statement_alone(two: Two) -> None:
    await two.one.execute("SELECT docshard.enter(%s, 1)", [two.a.client_id])
    await assert_clean(two.other)
    await assert_clean(two.one)


@pytest.mark.parametrize(
    "failing",
    [
        "SELECT 1 / 0",
        "SELECT docshard.enter_write('00000000-0000-0000-0000-000000000000', 1)",
        "UPDATE docshard.document_versions SET size = 1",
        "SELECT no_such_column FROM docshard.documents",
    ],
)
async def test_nothing_is_left_after_an_error(two: Two, failing: LiteralString) -> None:
    shared = await backend(two.one)
    with pytest.raises(psycopg.Error):
        async with two.one.transaction():
            await enter(two.one, two.a)
            await two.one.execute(failing)
    await assert_clean(two.other)
    assert await backend(two.other) == shared


async def test_nothing_is_left_after_a_cancelled_query(two: Two) -> None:
    with pytest.raises(errors.QueryCanceled):
        async with two.one.transaction():
            await enter(two.one, two.a)
            await two.one.execute("SET LOCAL statement_timeout = '50ms'")
            await two.one.execute("SELECT pg_sleep(20)")
    await assert_clean(two.other)


@pytest.mark.parametrize("during", ["a transaction", "a query"])
async def test_nothing_is_left_by_a_client_who_vanished(two: Two, during: str) -> None:
    with contextlib.suppress(psycopg.OperationalError):  # leaving in order cannot succeed
        async with two.pooled.session() as third:
            await third.execute("BEGIN")
            await enter(third, two.a)
            gone = await backend(third)
            if during == "a query":
                third.pgconn.send_query(b"SELECT client_id, pg_sleep(20) FROM docshard.documents")
                while third.pgconn.flush():
                    pass
            with socket.socket(fileno=os.dup(third.pgconn.socket)) as line:
                line.shutdown(socket.SHUT_RDWR)
    await assert_clean(two.other)
    assert await backend(two.other) != gone  # a transaction cut short is never passed on

    async def ended() -> bool:
        cursor = await two.superuser.execute(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE pid = %s AND state <> 'active'",
            [gone],
        )
        return await cursor.fetchone() == {"n": 0}

    await until(ended)
