"""A tenant's transactions find their shard, however stale the placement, in bounded time."""

import asyncio
import time
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
import uuid_utils.compat as uuid_utils

from global_db.connection import RawConnection
from services.resources import Data
from shards import documents
from shards.placement import CacheLimits, UnknownClient
from shards.tenants import FenceLimits, TenantMisplaced, TenantMoving, TenantWrite
from tests.integration.databases import Bounds, Fleet
from tests.integration.moving import fence, fencing, set_state
from tests.integration.postgres import APP
from tests.integration.waiting import until
from tests.integration.work import found_on, insert, look, new_document

pytestmark = pytest.mark.versions

LONG_LEASE = Bounds(cache=CacheLimits(lease_seconds=60))


async def switch(fleet: Fleet, source: RawConnection, client_id: UUID) -> None:
    """What a mover does from the fence on: shard-1 at epoch 1, shard-2 at epoch 2."""
    async with fleet.shards["shard-2"].session() as target:
        await set_state(target, client_id, "open", epoch=2)
    await fleet.place(client_id, "shard-2", 2)
    await set_state(source, client_id, "gone", epoch=1)


async def test_what_is_written_is_read(fleet_dbs: Fleet, fleet_data: Data) -> None:
    for shard in fleet_dbs.shards:
        client_id, document_id = await fleet_dbs.tenant(shard), uuid_utils.uuid7()
        written = await fleet_data.tenants.write(client_id, insert(document_id))
        assert (written.placement.shard, written.placement.epoch) == (shard, 1)
        assert written.position.lsn > 0
        assert written.position.timeline == 1
        document = await fleet_data.tenants.read(client_id, look(document_id))
        assert document is not None
        assert await found_on(fleet_dbs, document_id) == [shard]


async def test_an_error_undoes_the_work_and_frees_the_connection(
    fleet_dbs: Fleet, fleet_data: Data
) -> None:
    client_id, document_id = await fleet_dbs.tenant(), uuid_utils.uuid7()

    async def half(tenant: TenantWrite) -> None:
        await insert(document_id)(tenant)
        raise ZeroDivisionError

    for _ in range(15):
        with pytest.raises(ZeroDivisionError):
            await fleet_data.tenants.write(client_id, half)
    assert await found_on(fleet_dbs, document_id) == []
    await fleet_data.tenants.write(client_id, insert(document_id))


async def test_a_stale_placement_is_refused_refreshed_and_right(fleet_dbs: Fleet) -> None:
    client_id = await fleet_dbs.tenant()
    async with (
        fleet_dbs.data(LONG_LEASE) as data,
        fleet_dbs.data(LONG_LEASE) as other,
        fleet_dbs.shards["shard-1"].session() as source,
    ):
        before = uuid_utils.uuid7()
        await data.tenants.write(client_id, insert(before))
        await other.tenants.read(client_id, look(before))
        await fence(source, client_id)
        await switch(fleet_dbs, source, client_id)

        after = uuid_utils.uuid7()
        assert (await data.placements.get(client_id)).shard == "shard-1"
        written = await data.tenants.write(client_id, insert(after))
        assert (written.placement.shard, written.placement.epoch) == ("shard-2", 2)
        assert await found_on(fleet_dbs, after) == ["shard-2"]
        assert (await other.placements.get(client_id)).shard == "shard-1"
        assert await other.tenants.read(client_id, look(after)) is not None


async def test_writers_wait_at_the_fence_and_land_behind_it(
    fleet_dbs: Fleet, fleet_data: Data
) -> None:
    client_id = await fleet_dbs.tenant()
    ids = [uuid_utils.uuid7() for _ in range(8)]
    shard = fleet_dbs.shards["shard-1"]
    async with shard.session() as source, shard.session() as watcher:
        async with fencing(source, client_id):
            writing = [
                asyncio.create_task(fleet_data.tenants.write(client_id, insert(one))) for one in ids
            ]
            await until(lambda: waiting(watcher, len(ids)))
        await switch(fleet_dbs, source, client_id)
        written = await asyncio.gather(*writing)
    assert {one.placement.shard for one in written} == {"shard-2"}
    for one in ids:
        assert await found_on(fleet_dbs, one) == ["shard-2"]


async def test_a_read_waits_at_the_fence_too(fleet_dbs: Fleet, fleet_data: Data) -> None:
    client_id = await fleet_dbs.tenant()
    async with fleet_dbs.shards["shard-1"].session() as source:
        await fence(source, client_id)
        reading = asyncio.create_task(fleet_data.tenants.read(client_id, look(uuid4())))
        await asyncio.wait({reading}, timeout=0.2)
        assert not reading.done()
        await switch(fleet_dbs, source, client_id)
        assert await reading is None


async def waiting(watcher: RawConnection, number: int) -> bool:
    cursor = await watcher.execute(
        "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    )
    row = await cursor.fetchone()
    return row is not None and row["n"] == number


async def test_the_wait_at_a_fence_is_bounded(fleet_dbs: Fleet) -> None:
    client_id = await fleet_dbs.tenant()
    bounds = Bounds(fence=FenceLimits(wait_seconds=0.3))
    async with (
        fleet_dbs.data(bounds) as data,
        fleet_dbs.shards["shard-1"].session() as source,
    ):
        await fence(source, client_id)
        for attempt in (
            data.tenants.read(client_id, look(uuid4())),
            data.tenants.write(client_id, insert(uuid4())),
        ):
            begun = time.monotonic()
            with pytest.raises(TenantMoving):
                await attempt
            assert 0.3 <= time.monotonic() - begun < 1.5


async def test_the_wait_behind_a_mover_that_hangs_is_bounded(own_fleet: Fleet) -> None:
    """It holds the tenant's lock and does not commit: lock_timeout ends each attempt."""
    shard, client_id = own_fleet.shards["shard-1"], await own_fleet.tenant()
    shard.set_deadline(APP, "lock_timeout", "300ms")
    bounds = Bounds(fence=FenceLimits(wait_seconds=0.5))
    async with own_fleet.data(bounds) as data, shard.session() as source:
        begun = time.monotonic()
        async with fencing(source, client_id):
            with pytest.raises(TenantMoving):
                await data.tenants.write(client_id, insert(uuid4()))
            assert time.monotonic() - begun < 1.2


async def test_the_queue_at_a_fence_is_bounded(fleet_dbs: Fleet) -> None:
    client_id = await fleet_dbs.tenant()
    bounds = Bounds(fence=FenceLimits(wait_seconds=2, max_waiting=3))
    async with (
        fleet_dbs.data(bounds) as data,
        fleet_dbs.shards["shard-1"].session() as source,
    ):
        await fence(source, client_id)
        reading = [
            asyncio.create_task(data.tenants.read(client_id, look(uuid4()))) for _ in range(8)
        ]
        done, queued = await asyncio.wait(reading, timeout=1)
        assert len(done) == 5
        for task in done:
            with pytest.raises(TenantMoving, match="too many"):
                await task
        await switch(fleet_dbs, source, client_id)
        assert await asyncio.gather(*queued) == [None] * 3


async def test_an_aborted_move_opens_the_source_again(fleet_dbs: Fleet, fleet_data: Data) -> None:
    """The directory goes to epoch 3 on the same shard before the source opens there."""
    client_id, document_id = await fleet_dbs.tenant(), uuid_utils.uuid7()
    await fleet_data.tenants.read(client_id, look(document_id))
    async with fleet_dbs.shards["shard-1"].session() as source:
        await fence(source, client_id)
        await fleet_dbs.place(client_id, "shard-1", 3)
        writing = asyncio.create_task(fleet_data.tenants.write(client_id, insert(document_id)))
        await asyncio.wait({writing}, timeout=0.15)
        await set_state(source, client_id, "open", epoch=3)
        written = await writing
    assert written.placement.epoch == 3


async def test_a_directory_that_names_the_wrong_shard_is_an_error(
    fleet_dbs: Fleet, fleet_data: Data
) -> None:
    client_id = await fleet_dbs.tenant("shard-2")
    await fleet_dbs.place(client_id, "shard-1", 1)
    with pytest.raises(TenantMisplaced, match="shard-1"):
        await fleet_data.tenants.read(client_id, look(uuid4()))


async def test_nobody_is_found_who_does_not_exist(fleet_dbs: Fleet, fleet_data: Data) -> None:
    with pytest.raises(UnknownClient):
        await fleet_data.tenants.read(uuid4(), look(uuid4()))
    client_id = await fleet_dbs.tenant()
    assert await fleet_data.tenants.read(client_id, look(uuid4())) is None
    async with fleet_dbs.global_db.session() as session:
        await session.execute(
            "UPDATE docshard.clients SET deleted_at = now() WHERE id = %s", [client_id]
        )
    fleet_data.placements.forget(client_id)
    with pytest.raises(UnknownClient):
        await fleet_data.tenants.read(client_id, look(uuid4()))


async def test_the_work_runs_again_from_its_beginning(fleet_dbs: Fleet) -> None:
    """After a refusal nothing of the first run stays: it never began."""
    client_id, runs = await fleet_dbs.tenant(), 0
    async with fleet_dbs.data(LONG_LEASE) as data:
        await data.placements.get(client_id)
        async with fleet_dbs.shards["shard-1"].session() as source:
            await set_state(source, client_id, "open", epoch=5)
        await fleet_dbs.place(client_id, "shard-1", 5)

        async def work(tenant: TenantWrite) -> UUID:
            nonlocal runs
            runs += 1
            document = replace(new_document(tenant, uuid_utils.uuid7()), original_name=str(runs))
            await documents.insert(tenant, document)
            return document.id

        written = await data.tenants.write(client_id, work)
        assert runs == 1
        assert await found_on(fleet_dbs, written.value) == ["shard-1"]
