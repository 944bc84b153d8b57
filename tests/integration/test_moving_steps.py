"""Each step of a move by itself: what it does, what it refuses, and that it can be repeated."""

import asyncio
from dataclasses import replace

import psycopg
import pytest

from global_db.connection import RawConnection
from shards.copying import (
    claims,
    facts,
    fence,
    markers,
    publications,
    slots,
    sweep,
)
from shards.copying.errors import Superseded, Unready
from shards.copying.sessions import session
from shards.history import HISTORY
from shards.tables import TENANT_TABLES
from tests.integration.databases import Fleet
from tests.integration.movers import ROWS, Course, contents, furnished, go_on
from tests.integration.postgres import APP, MOVER
from tests.integration.waiting import until

pytestmark = pytest.mark.versions


async def test_an_older_generation_changes_nothing_more(fleet_dbs: Fleet, course: Course) -> None:
    await course.begin()
    late = course
    new = course.succeeded()
    async with session(course.source, course.mover) as hanging, hanging.transaction():
        await hanging.execute(
            "SELECT docshard.as_mover(%s, %s)", [late.mover.move_id, late.mover.generation]
        )
        # The claim ends the session that is in the way.
        await claims.claim(new.source, new.mover)
        with pytest.raises(psycopg.OperationalError):
            await hanging.execute("SELECT 1")
    with pytest.raises(Superseded):
        await claims.claim(late.source, late.mover)
    for step in (
        fence.own(late.source, late.mover, late.batch),
        fence.fence(late.source, late.mover, late.batch),
        fence.give_back(late.source, late.mover, late.batch),
        markers.put(late.source, late.mover),
        publications.publish(late.source, late.mover, late.batch),
        slots.drop(late.source, late.mover),
        sweep.sweep(late.source, late.mover, late.batch, go_on),
    ):
        with pytest.raises(Superseded):
            await step
    assert {(row.state, row.generation) for row in await fence.found(new.source, new.batch)} == {
        ("open", 2)
    }


async def test_a_shard_without_a_claim_lets_no_mover_in(course: Course) -> None:
    with pytest.raises(Superseded):
        await fence.own(course.source, course.mover, course.batch)


async def test_residency_goes_its_way_and_no_other(course: Course) -> None:
    """I3: a change depends on epoch and state, and changes all of the batch or nothing."""
    await course.begin()
    source, target, mover, batch = course.source, course.target, course.mover, course.batch
    whole = len(batch.clients)
    stale = replace(batch, epochs=dict.fromkeys(batch.clients, 7))
    half = replace(batch, epochs={**batch.epochs, batch.clients[0]: 7})
    for wrong in (stale, half):
        assert (await fence.fence(source, mover, wrong)).clients < whole
        assert (await fence.open_(target, mover, wrong)).clients < whole
        assert (await fence.give_back(source, mover, wrong)).clients < whole
    assert (await fence.leave(source, mover, batch)).clients == 0
    assert {row.state for row in await fence.found(source, batch)} == {"open"}
    first = await fence.fence(source, mover, batch)
    second = await fence.fence(source, mover, batch)
    assert (first.clients, second.clients) == (whole, whole)
    assert second.number == first.number + 1
    assert second.lsn > first.lsn > 0
    assert (await fence.open_(target, mover, batch)).clients == whole
    assert (await fence.open_(target, mover, batch)).clients == whole
    assert (await fence.leave(source, mover, batch)).clients == whole
    assert (await fence.leave(source, mover, batch)).clients == whole
    assert (await fence.give_back(source, mover, batch)).clients == 0
    assert (await fence.release(target, mover, batch)).clients == whole
    assert (await fence.drop_import(target, mover, batch)).clients == 0
    found = await fence.found(target, batch)
    assert {(row.epoch, row.state, row.move_id) for row in found} == {(2, "open", None)}


async def test_an_abort_opens_the_source_at_a_later_epoch(course: Course) -> None:
    await course.begin()
    source, target, mover, batch = course.source, course.target, course.mover, course.batch
    await fence.fence(source, mover, batch)
    for _ in range(2):
        assert (await fence.drop_import(target, mover, batch)).clients == 2
        assert (await fence.give_back(source, mover, batch)).clients == 2
    assert {(r.epoch, r.state, r.move_id) for r in await fence.found(source, batch)} == {
        (3, "open", None)
    }
    assert {(r.epoch, r.state) for r in await fence.found(target, batch)} == {(2, "gone")}


async def test_a_fence_waits_for_writers_and_lets_others_go_first(
    fleet_dbs: Fleet, course: Course
) -> None:
    await course.begin()
    client = course.batch.clients[1]
    shard = fleet_dbs.shards["shard-1"]
    enter = "SELECT docshard.enter_write(%s, 1)"
    async with shard.session(APP) as writer, shard.session(APP) as other:
        async with writer.transaction():
            await writer.execute(enter, [client])
            fencing = asyncio.create_task(fence.fence(course.source, course.mover, course.batch))
            async with shard.session() as watcher:
                await until_mover_waits(watcher)
            # Queued behind the fence, and served all the same before it gives up.
            async with other.transaction():
                await other.execute(enter, [client])
            with pytest.raises(Unready):
                await fence.fence(course.source, course.mover, course.batch, seconds=0.0)
            assert not fencing.done()
        fenced = await fencing
        assert fenced.clients == 2
        with pytest.raises(psycopg.Error, match="switch of a move"):
            await other.execute(enter, [client])


async def until_mover_waits(watcher: RawConnection) -> None:
    async def waits() -> bool:
        cursor = await watcher.execute(
            "SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE NOT granted AND locktype = 'advisory' AND a.usename = 'docshard_mover'"
        )
        return await cursor.fetchone() is not None

    await until(waits)


async def test_only_what_is_gone_is_swept(fleet_dbs: Fleet, course: Course) -> None:
    await course.begin()
    with pytest.raises(Superseded):
        await course.sweep()
    await fence.fence(course.source, course.mover, course.batch)
    await fence.leave(course.source, course.mover, course.batch)
    neighbour = (await furnished(fleet_dbs, 1))[0]
    assert await course.sweep() == 2 * ROWS
    assert await course.sweep() == 0
    shard = fleet_dbs.shards["shard-1"]
    assert not any((await contents(shard, course.batch.clients[0])).values())
    assert all((await contents(shard, neighbour)).values())
    assert {row.state for row in await fence.found(course.source, course.batch)} == {"gone"}


async def test_facts_of_a_shard(course: Course) -> None:
    found = await facts.examine(course.source, course.batch)
    assert (found.revision, found.wal_level) == (HISTORY.head, "logical")
    assert found.rows == 2 * ROWS
    assert found.bytes > 1000
    assert found.without_identity == ()
    assert len(found.partitions) >= 5
    assert found.slots.most == 24
    other = await facts.examine(course.target, course.batch)
    assert (other.partitions, other.collation) == (found.partitions, found.collation)
    assert other.rows == 0


async def test_every_table_of_tenants_lets_the_mover_in(fleet_dbs: Fleet) -> None:
    async with fleet_dbs.shards["shard-1"].session() as superuser:
        for table in TENANT_TABLES:
            cursor = await superuser.execute(
                "SELECT bool_and(has_table_privilege(%s, %s, right_)) AS all_"
                " FROM unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS right_",
                [MOVER, table.fullname],
            )
            assert (await cursor.fetchone() or {})["all_"], table.name
