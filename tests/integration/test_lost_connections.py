"""Connections break, run out and hang: what is known is healed, what is unknown is called so."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import psycopg
import pytest
import uuid_utils.compat as uuid_utils

from global_db import clients, shard_catalog
from global_db.cluster import PoolLimits
from global_db.errors import ClusterUnavailable, OutcomeUnknown, PoolExhausted
from global_db.listener import listen
from services.resources import Data
from shards.tenants import TenantRead, TenantWrite
from tests.integration.databases import Bounds, Fleet
from tests.integration.postgres import ADMIN, APP, Database
from tests.integration.waiting import until
from tests.integration.wire import Wire
from tests.integration.work import found_on, insert, look

pytestmark = pytest.mark.versions

COMMIT = b"COMMIT;"  # as it is sent; BEGIN has READ COMMITTED in it
ONE_CONNECTION = Bounds(pool=PoolLimits(min_size=1, max_size=1, wait_seconds=0.3))


@dataclass(frozen=True)
class Wired:
    """A fleet whose shard-1 is reached through a wire, and a tenant there."""

    fleet: Fleet
    wire: Wire
    client_id: UUID


@pytest.fixture
async def wired(own_fleet: Fleet) -> AsyncIterator[Wired]:
    client_id = await own_fleet.tenant()
    async with Wire(own_fleet.shards["shard-1"].address).up() as wire:
        async with own_fleet.global_db.cluster(ADMIN) as cluster, cluster.write() as connection:
            await shard_catalog.register(connection, "shard-1", [wire.address], weight=1)
        yield Wired(own_fleet, wire, client_id)


async def kill_backends(database: Database, role: str = APP) -> int:
    """End every connection of the role, as an administrator does; answers how many."""
    async with database.session() as session:
        cursor = await session.execute(
            "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = %s AND datname = current_database()",
            [role],
        )
        pids = [row["pid"] for row in await cursor.fetchall()]

        async def gone() -> bool:
            cursor = await session.execute(
                "SELECT FROM pg_stat_activity WHERE pid = ANY(%s)", [pids]
            )
            return await cursor.fetchone() is None

        await until(gone)
        return len(pids)


async def test_killed_backends_are_replaced_without_an_error(
    fleet_dbs: Fleet, fleet_data: Data
) -> None:
    client_id, document_id = await fleet_dbs.tenant(), uuid_utils.uuid7()
    await fleet_data.tenants.write(client_id, insert(document_id))
    for _ in range(3):
        assert await kill_backends(fleet_dbs.shards["shard-1"]) > 0
        assert await fleet_data.tenants.read(client_id, look(document_id)) is not None
        assert await kill_backends(fleet_dbs.shards["shard-1"]) > 0
        await fleet_data.tenants.write(client_id, insert(uuid_utils.uuid7()))


async def test_a_backend_killed_in_the_middle_of_work_leaves_one_effect(
    fleet_dbs: Fleet, fleet_data: Data
) -> None:
    client_id = await fleet_dbs.tenant()
    runs: list[UUID] = []

    async def work(tenant: TenantWrite) -> None:
        document_id = uuid_utils.uuid7()
        await insert(document_id)(tenant)
        await look(document_id)(tenant)
        runs.append(document_id)
        if len(runs) == 1:
            await kill_backends(fleet_dbs.shards["shard-1"])
        await look(document_id)(tenant)

    await fleet_data.tenants.write(client_id, work)
    landed = [await found_on(fleet_dbs, document_id) for document_id in runs]
    assert landed == [[], ["shard-1"]]


async def test_who_listens_hears_first_that_the_primary_is_lost(
    fleet_dbs: Fleet, fleet_data: Data
) -> None:
    """A write in the directory is not repeated: it must not be what finds the lost connection."""
    client_id, heard = await fleet_dbs.tenant(), asyncio.Event()
    listening = asyncio.create_task(listen(fleet_data.global_db, {}, on_gap=heard.set))
    for _ in range(3):
        await heard.wait()
        async with fleet_data.global_db.write() as connection:
            await clients.get(connection, client_id)
        heard.clear()
        assert await kill_backends(fleet_dbs.global_db) > 0
    listening.cancel()


async def test_one_killed_backend_is_nobody_elses_trouble(
    fleet_dbs: Fleet, fleet_data: Data
) -> None:
    client_id = await fleet_dbs.tenant()
    stop = time.monotonic() + 1.5

    async def reads() -> int:
        done = 0
        while time.monotonic() < stop:
            await fleet_data.tenants.read(client_id, look(uuid4()))
            done += 1
        return done

    readers = [asyncio.create_task(reads()) for _ in range(8)]
    while time.monotonic() < stop - 0.3:
        await kill_backends(fleet_dbs.shards["shard-1"])
        await asyncio.wait(readers, timeout=0.2)
    assert all(done > 0 for done in await asyncio.gather(*readers))


async def test_a_commit_that_never_arrived_is_unknown(wired: Wired) -> None:
    document_id = uuid_utils.uuid7()
    async with wired.fleet.data() as data:
        wired.wire.cut_before(COMMIT)
        with pytest.raises(OutcomeUnknown):
            await data.tenants.write(wired.client_id, insert(document_id))
        assert await found_on(wired.fleet, document_id) == []
        await data.tenants.write(wired.client_id, insert(document_id))


async def test_a_commit_whose_answer_was_lost_is_unknown(wired: Wired) -> None:
    document_id = uuid_utils.uuid7()
    async with wired.fleet.data() as data:
        wired.wire.cut_after(COMMIT)
        with pytest.raises(OutcomeUnknown):
            await data.tenants.write(wired.client_id, insert(document_id))
        assert await found_on(wired.fleet, document_id) == ["shard-1"]
        assert await data.tenants.read(wired.client_id, look(document_id)) is not None


async def test_a_commit_is_not_cancelled_with_its_caller(wired: Wired) -> None:
    document_id = uuid_utils.uuid7()
    async with wired.fleet.data(ONE_CONNECTION) as data:
        wired.wire.hold_from(COMMIT)
        writing = asyncio.create_task(data.tenants.write(wired.client_id, insert(document_id)))

        async def commit_is_sent() -> bool:
            return wired.wire.count(COMMIT) == 1

        await until(commit_is_sent)
        writing.cancel()
        await asyncio.wait({writing}, timeout=0.1)
        assert not writing.done()
        wired.wire.release()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert await found_on(wired.fleet, document_id) == ["shard-1"]
        # The one connection of the pool is free again, and clean.
        assert await data.tenants.read(wired.client_id, look(document_id)) is not None


async def test_work_is_cancelled_with_its_caller(fleet_dbs: Fleet) -> None:
    client_id, document_id, waits = await fleet_dbs.tenant(), uuid_utils.uuid7(), asyncio.Event()

    async def work(tenant: TenantWrite) -> None:
        await insert(document_id)(tenant)
        waits.set()
        await asyncio.sleep(60)

    async with fleet_dbs.data(ONE_CONNECTION) as data:
        for _ in range(3):
            waits.clear()
            writing = asyncio.create_task(data.tenants.write(client_id, work))
            await waits.wait()
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
        assert await found_on(fleet_dbs, document_id) == []
        await data.tenants.write(client_id, insert(document_id))


async def test_a_change_that_was_not_waited_for_fails_the_commit(
    fleet_dbs: Fleet, fleet_data: Data
) -> None:
    client_id, first, again = await fleet_dbs.tenant(), uuid_utils.uuid7(), uuid_utils.uuid7()

    async def work(tenant: TenantWrite) -> None:
        await insert(first)(tenant)
        await insert(again)(tenant)
        await insert(again)(tenant)

    for _ in range(8):
        with pytest.raises(psycopg.errors.UniqueViolation):
            await fleet_data.tenants.write(client_id, work)
    assert await found_on(fleet_dbs, first) == []
    assert fleet_data.registry.cluster("shard-1").available


async def test_a_full_pool_is_said_to_be_full_quickly(fleet_dbs: Fleet) -> None:
    client_id, enough, inside = await fleet_dbs.tenant(), asyncio.Event(), asyncio.Event()
    bounds = replace(
        ONE_CONNECTION,
        pool=PoolLimits(min_size=1, max_size=1, max_waiting=2, wait_seconds=0.3),
    )

    async def slow(_: TenantRead) -> None:
        inside.set()
        await enough.wait()

    async with fleet_dbs.data(bounds) as data:
        await data.placements.get(client_id)
        holder = asyncio.create_task(data.tenants.read(client_id, slow))
        await inside.wait()
        begun = time.monotonic()
        outcomes = await asyncio.gather(
            *(data.tenants.read(client_id, look(uuid4())) for _ in range(6)),
            return_exceptions=True,
        )
        assert {type(outcome) for outcome in outcomes} == {PoolExhausted}
        assert time.monotonic() - begun < 1
        enough.set()
        await holder
        assert await data.tenants.read(client_id, look(uuid4())) is None


async def test_a_dead_shard_is_refused_at_once_and_concerns_no_other(wired: Wired) -> None:
    neighbour = await wired.fleet.tenant("shard-2")
    async with wired.fleet.data() as data:
        await data.tenants.read(wired.client_id, look(uuid4()))
        wired.wire.cut()
        with pytest.raises(ClusterUnavailable):
            await data.tenants.read(wired.client_id, look(uuid4()))
        begun = time.monotonic()
        for _ in range(20):
            with pytest.raises(ClusterUnavailable):
                await data.tenants.write(wired.client_id, insert(uuid4()))
        assert time.monotonic() - begun < 1
        assert await data.tenants.read(neighbour, look(uuid4())) is None

        wired.wire.mend()
        cluster = data.registry.cluster("shard-1")

        async def back() -> bool:
            return cluster.available

        await until(back)
        assert await data.tenants.read(wired.client_id, look(uuid4())) is None
