"""Rates that forget, sizes that are counted, and the lists made of them."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import psycopg
import pytest
import uuid_utils.compat as uuid_utils

from global_db import client_statistics
from global_db.client_statistics import RATE_SECONDS, ClientStatistics, Order, Size
from global_db.connection import ReadConnection
from services.fleet.planning import Goal, Wishes, make_plan
from services.fleet.tenant_sizes import SHORTEST_REST_SECONDS, Measuring
from services.resources import Data
from services.traffic import tell, telling
from shards import sizes
from shards.traffic import Traffic
from tests.integration.databases import Fleet
from tests.integration.explaining import explaining, nodes
from tests.integration.moving import set_state
from tests.integration.postgres import ADMIN, APP, WORKER
from tests.integration.work import insert, look

_BLOBS = """
    INSERT INTO docshard.purged_blobs (client_id, s3_key, document_id, due_at)
    SELECT %(client)s, 'key-' || n, %(client)s, now() FROM generate_series(1, %(rows)s) AS n
"""


@pytest.fixture(autouse=True)
async def empty(fleet_dbs: Fleet) -> None:
    """Nobody lives anywhere."""
    async with fleet_dbs.global_db.session() as superuser:
        await superuser.execute("TRUNCATE docshard.clients, docshard.moves CASCADE")
    for shard in fleet_dbs.shards.values():
        async with shard.session() as superuser:
            await superuser.execute("TRUNCATE docshard.residency")


async def top(fleet: Fleet, order: Order) -> list[ClientStatistics]:
    """What an operator sees."""
    async with fleet.global_db.session(ADMIN) as session:
        return await client_statistics.top(ReadConnection(session), order, 10)


@asynccontextmanager
async def working(fleet: Fleet) -> AsyncIterator[Data]:
    """What a worker holds."""
    async with fleet.opened(WORKER) as data:
        await data.registry.refresh()
        yield data


async def test_requests_that_succeed_are_told_and_add_up(
    fleet_dbs: Fleet, fleet_data: Data
) -> None:
    busy, idle = [await fleet_dbs.tenant() for _ in range(2)]
    document = uuid_utils.uuid7()
    await fleet_data.tenants.write(busy, insert(document))
    for _ in range(3):
        await fleet_data.tenants.read(busy, look(document))
    await fleet_data.tenants.read(idle, look(document))
    with pytest.raises(LookupError):
        await fleet_data.tenants.read(busy, _failing)
    assert await tell(fleet_data.global_db, fleet_data.tenants.traffic) == 2
    assert await tell(fleet_data.global_db, fleet_data.tenants.traffic) == 0
    other = Traffic()  # another process, for the same tenant
    for _ in range(9):
        other.note_read(busy)
    await tell(fleet_data.global_db, other)
    first, second = await top(fleet_dbs, "reads")
    assert (first.client_id, second.client_id) == (busy, idle)
    assert first.reads_per_second == pytest.approx(12 / RATE_SECONDS, rel=0.1)
    assert second.reads_per_second == pytest.approx(1 / RATE_SECONDS, rel=0.1)
    [writer] = await top(fleet_dbs, "writes")
    assert writer.writes_per_second == pytest.approx(1 / RATE_SECONDS, rel=0.1)
    assert second.writes_per_second is None


async def _failing(_: object) -> None:
    raise LookupError


async def test_what_is_not_repeated_is_forgotten_in_order(
    fleet_dbs: Fleet, fleet_data: Data
) -> None:
    """A tenant with much long ago stands behind one with little now, and nobody has aged it."""
    once, now = [await fleet_dbs.tenant() for _ in range(2)]
    past, present = Traffic(), Traffic()
    for _ in range(1200):
        past.note_read(once)
    present.note_read(now)
    await tell(fleet_data.global_db, past)
    await tell(fleet_data.global_db, present)
    assert [one.client_id for one in await top(fleet_dbs, "reads")] == [once, now]
    async with fleet_dbs.global_db.session() as superuser:
        # As if it had been told ten times the averaging time ago.
        await superuser.execute(
            "UPDATE docshard.client_rates SET reads_level = reads_level - 10 WHERE client_id = %s",
            [once],
        )
    first, second = await top(fleet_dbs, "reads")
    assert (first.client_id, second.client_id) == (now, once)
    assert second.reads_per_second == pytest.approx(1200 / RATE_SECONDS * math.exp(-10), rel=0.1)
    async with fleet_dbs.global_db.session() as superuser:
        await superuser.execute("UPDATE docshard.client_rates SET reads_level = 0")
    long_ago = await top(fleet_dbs, "reads")
    assert [one.reads_per_second for one in long_ago] == [pytest.approx(0)] * 2
    await tell(fleet_data.global_db, _reads(once, 1))
    assert (await top(fleet_dbs, "reads"))[0].client_id == once


def _reads(client_id: UUID, count: int) -> Traffic:
    traffic = Traffic()
    for _ in range(count):
        traffic.note_read(client_id)
    return traffic


async def test_a_full_round_is_told_in_one_statement(fleet_dbs: Fleet, fleet_data: Data) -> None:
    """As many tenants as memory holds, most of them unknown here: those are passed over."""
    known, traffic = await fleet_dbs.tenant(), Traffic()
    traffic.note_write(known)
    for _ in range(9_999):
        traffic.note_write(uuid4())
    assert await tell(fleet_data.global_db, traffic) == 10_000
    assert [one.client_id for one in await top(fleet_dbs, "writes")] == [known]


async def test_without_the_global_database_counts_are_lost_and_nothing_fails(
    fleet_dbs: Fleet, fleet_data: Data
) -> None:
    client_id = await fleet_dbs.tenant()
    traffic = _reads(client_id, 1)
    async with fleet_dbs.global_db.session() as superuser:
        await superuser.execute("ALTER TABLE docshard.client_rates RENAME TO gone")
        async with telling(fleet_data.global_db, traffic, every_seconds=0.01):
            while traffic.take().reads:
                await fleet_data.tenants.read(client_id, look(uuid_utils.uuid7()))
        await superuser.execute("ALTER TABLE docshard.gone RENAME TO client_rates")


async def test_a_clock_that_is_set_back_makes_no_rate_huge(
    fleet_dbs: Fleet, fleet_data: Data
) -> None:
    """What was told while it was an hour ahead counts as told now, and is added to as ever."""
    busy = await fleet_dbs.tenant()
    await tell(fleet_data.global_db, _reads(busy, 12))
    async with fleet_dbs.global_db.session() as superuser:
        await superuser.execute(
            "UPDATE docshard.client_rates SET updated_at = updated_at + interval '1 hour',"
            " reads_level = reads_level + 3600 / %s",
            [RATE_SECONDS],
        )
    [told] = await top(fleet_dbs, "reads")
    assert told.reads_per_second == pytest.approx(12 / RATE_SECONDS, rel=0.1)
    await tell(fleet_data.global_db, _reads(busy, 12))
    [told] = await top(fleet_dbs, "reads")
    assert told.reads_per_second == pytest.approx(24 / RATE_SECONDS, rel=0.1)


async def test_the_application_tells_rates_and_never_sizes(fleet_dbs: Fleet) -> None:
    client_id = await fleet_dbs.tenant()
    async with fleet_dbs.global_db.session(APP) as app:
        for statement in (
            "INSERT INTO docshard.client_sizes (client_id, rows, bytes) VALUES (%s, 1, 1)",
            "DELETE FROM docshard.client_rates WHERE client_id = %s",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await app.execute(statement.encode(), [client_id])


async def test_the_worker_measures_every_tenant_where_it_lives(fleet_dbs: Fleet) -> None:
    large, *others = [await fleet_dbs.tenant(shard) for shard in fleet_dbs.shards for _ in range(3)]
    gone = await fleet_dbs.tenant()
    rows = 2 * sizes.MOST_AT_ONCE + 7
    async with fleet_dbs.shards["shard-1"].session() as superuser:
        await set_state(superuser, gone, "gone")
        await superuser.execute("SET session_replication_role = replica")
        await superuser.execute(_BLOBS, {"client": large, "rows": rows})
        await superuser.execute(_BLOBS, {"client": others[0], "rows": 5})
        await superuser.execute("SET session_replication_role = origin")
        await superuser.execute("ANALYZE docshard.purged_blobs")
    now = 0.0
    async with working(fleet_dbs) as data:
        measuring = Measuring(data, clock=lambda: now, page=2)
        assert [await measuring.run() for _ in range(3)] == [4, 2, 0]
        found = {one.client_id: one for one in await top(fleet_dbs, "rows")}
        assert found.keys() == {large, *others}
        assert (found[large].rows, found[others[0]].rows, found[others[1]].rows) == (rows, 5, 0)
        # A row of some hundred bytes with the entries of two indexes.
        assert rows * 150 < (found[large].bytes or 0) < rows * 600
        assert (await top(fleet_dbs, "bytes"))[0].client_id == large
        now = SHORTEST_REST_SECONDS + 1
        assert await measuring.run() == 4


@pytest.mark.parametrize("order", ["bytes", "rows", "reads", "writes"])
async def test_the_first_come_from_an_index(fleet_dbs: Fleet, order: Order) -> None:
    async with fleet_dbs.global_db.session() as superuser:
        await superuser.execute(
            """
            INSERT INTO docshard.clients (id, code, name, shard)
            SELECT gen_random_uuid(), n, 'a tenant', 'shard-1' FROM generate_series(1, 3000) AS n
            """
        )
        await superuser.execute(
            "INSERT INTO docshard.client_sizes (client_id, rows, bytes)"
            " SELECT id, random() * 1000, random() * 1000000 FROM docshard.clients"
        )
        await superuser.execute(
            "INSERT INTO docshard.client_rates (client_id, reads_level, writes_level)"
            " SELECT id, random() * 1000, random() * 1000 FROM docshard.clients"
        )
        await superuser.execute("VACUUM (ANALYZE)")
    session = await explaining(fleet_dbs.global_db.conninfo(ADMIN))
    async with session:
        found = await client_statistics.top(ReadConnection(session), order, 5)
        assert len(found) == 5
        index = f"idx_client_{'sizes' if order in ('bytes', 'rows') else 'rates'}_{order}"
        assert index in {node.get("Index Name") for node in nodes(session.plans[-1])}
        assert all(
            node["Node Type"] != "Sort" or node["Plan Rows"] <= 5
            for node in nodes(session.plans[-1])
        )


async def test_a_plan_is_made_from_what_is_known(fleet_dbs: Fleet) -> None:
    """Pinned and moving tenants stay out; sizes and finished moves make the prediction."""
    clients = [await fleet_dbs.tenant("shard-2") for _ in range(12)]
    pinned, moving, free = clients[0], clients[1], set(clients[2:])
    async with fleet_dbs.global_db.session() as superuser:
        await superuser.execute("UPDATE docshard.clients SET pinned = true WHERE id = %s", [pinned])
        await superuser.execute(
            """
            WITH living AS (
                INSERT INTO docshard.moves (id, source, target, state)
                VALUES (gen_random_uuid(), 'shard-2', 'shard-1', 'copying') RETURNING id)
            INSERT INTO docshard.move_clients (move_id, client_id, epoch)
            SELECT id, %s, 1 FROM living
            """,
            [moving],
        )
        await superuser.execute(
            """
            INSERT INTO docshard.moves (id, source, target, state, actual)
            SELECT gen_random_uuid(), 'shard-2', 'shard-1', 'swept', figures::jsonb
              FROM unnest(ARRAY['{}', '{"rows": 1, "bytes": 1, "seconds": 3, "pause_ms": 12}',
                                '{"rows": 5, "bytes": 1, "seconds": 3, "pause_ms": 12}',
                                '{"rows": 5, "bytes": 9, "seconds": 3, "pause_ms": 12}']) AS figures
            """
        )
    async with working(fleet_dbs) as data:
        async with data.global_db.write() as connection:
            await client_statistics.keep(connection, [Size(one, 10, 1000) for one in free])
        made = await make_plan(data, Goal.DRAIN, Wishes(draining={"shard-2"}))
        ring = await make_plan(data, Goal.RING)
    assert {client for batch in made.batches for client in batch.clients} == free
    assert made.obstacles == (pinned,)
    assert (made.rows, made.bytes, made.population) == (100, 10_000, 12)
    assert (made.learnt_from, made.pause_ms.likely) == (3, 12)
    assert made.seconds.likely == pytest.approx(3, rel=0.1)
    home = {client for client in free if data.registry.ring().home(client) == "shard-1"}
    assert {client for batch in ring.batches for client in batch.clients} == home
