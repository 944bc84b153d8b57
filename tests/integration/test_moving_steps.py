"""Each step of a move by itself: what it does, what it refuses, and that it can be repeated."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import psycopg
import pytest
import uuid_utils.compat as uuid_utils
from psycopg import sql

from global_db.connection import RawConnection
from shards.copying import (
    claims,
    copy,
    digests,
    facts,
    fence,
    markers,
    publications,
    slots,
    subscriptions,
    sweep,
)
from shards.copying.errors import Diverged, Superseded, Unready
from shards.copying.sessions import session
from shards.registry import HISTORY
from shards.tables import TENANT_TABLES, audit_logs, idempotency_keys
from tests.integration.databases import Fleet
from tests.integration.movers import Course, contents, course_of, furnished, go_on
from tests.integration.postgres import APP, MOVER
from tests.integration.rows import insert, sample
from tests.integration.waiting import until

pytestmark = pytest.mark.versions

# What `furnished` gives a tenant: a row in each table, and one more in the chain's queue.
ROWS = len(TENANT_TABLES) + 1
REPLICA = "SET session_replication_role = replica"


@pytest.fixture(name="course")
async def make_course(fleet_dbs: Fleet) -> AsyncIterator[Course]:
    """A move of two tenants that have a row in each of their tables."""
    clients = await furnished(fleet_dbs, 2)
    async with course_of(fleet_dbs, *clients) as course:
        yield course


@pytest.fixture(name="streaming")
async def make_streaming(course: Course) -> Course:
    """The same, copied and caught up."""
    await course.begin()
    await course.copy()
    await course.catch_up()
    return course


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


async def test_the_copy_is_whole_and_fires_no_trigger(fleet_dbs: Fleet, course: Course) -> None:
    """FORCE RLS hides nothing from the mover, and the queue of the chain is not filled twice."""
    await course.begin()
    copied = await course.copy()
    assert copied.rows == 2 * ROWS
    for client in course.batch.clients:
        here = await contents(fleet_dbs.shards["shard-1"], client)
        assert await contents(fleet_dbs.shards["shard-2"], client) == here
    verified = await digests.verify(course.source, course.target, course.mover, course.batch, go_on)
    assert verified.rows == copied.rows
    assert verified.rechecked == 0


async def test_changes_follow_the_copy(fleet_dbs: Fleet, streaming: Course) -> None:
    """Inserted, changed and deleted rows of the batch arrive; others' do not."""
    other = (await furnished(fleet_dbs, 1))[0]
    client = streaming.batch.clients[0]
    async with fleet_dbs.shards["shard-1"].session() as superuser, superuser.transaction():
        await superuser.execute("SELECT docshard.enter_write(%s, 1)", [client])
        for table in (audit_logs, idempotency_keys):
            await insert(superuser, table, sample(table, client, client))
        await superuser.execute(
            "UPDATE docshard.documents SET original_name = 'new' WHERE client_id = %s", [client]
        )
        await superuser.execute("DELETE FROM docshard.uploads WHERE client_id = %s", [client])
    await streaming.catch_up()
    here = await contents(fleet_dbs.shards["shard-1"], client)
    assert await contents(fleet_dbs.shards["shard-2"], client) == here
    assert not any((await contents(fleet_dbs.shards["shard-2"], other)).values())
    assert await markers.lag(streaming.source, streaming.mover) >= 0


async def test_every_difference_is_found(
    fleet_dbs: Fleet, streaming: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_ROW_ROUNDS", 3)
    client = streaming.batch.clients[1]
    superuser_of = fleet_dbs.shards["shard-2"].session
    for spoil in (
        "DELETE FROM docshard.audit_logs WHERE client_id = %s",
        "UPDATE docshard.documents SET original_name = 'secret' WHERE client_id = %s",
        "INSERT INTO docshard.purged_blobs SELECT client_id, 'zzz', document_id, purged_at, due_at"
        " FROM docshard.purged_blobs WHERE client_id = %s",
    ):
        async with superuser_of() as superuser:
            await superuser.execute(REPLICA)
            await superuser.execute(spoil, [client])
        with pytest.raises(Diverged) as found:
            await digests.verify(
                streaming.source, streaming.target, streaming.mover, streaming.batch, go_on
            )
        assert "1 rows differ" in str(found.value)
        assert "secret" not in str(found.value)
        await again(streaming)


async def again(course: Course) -> None:
    """A new attempt of the same move."""
    await course.end_forward()
    await copy.wipe(course.target, course.mover, course.batch, go_on)
    await course.copy()
    await course.catch_up()


async def test_a_failed_attempt_is_wiped_and_begun_anew(
    fleet_dbs: Fleet, streaming: Course
) -> None:
    client = streaming.batch.clients[0]
    await again(streaming)
    here = await contents(fleet_dbs.shards["shard-1"], client)
    assert await contents(fleet_dbs.shards["shard-2"], client) == here
    await fence.open_(streaming.target, streaming.mover, streaming.batch)
    with pytest.raises(Superseded):
        await copy.wipe(streaming.target, streaming.mover, streaming.batch, go_on)
    assert await contents(fleet_dbs.shards["shard-2"], client) == here


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


async def test_a_slot_names_the_transaction_that_it_waits_for(
    fleet_dbs: Fleet, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "_MAKE_SECONDS", 0.3)
    await course.begin()
    async with fleet_dbs.shards["shard-1"].session() as old, old.transaction():
        await old.execute("SELECT pg_current_xact_id()")
        with pytest.raises(Unready, match=f"pid {old.info.backend_pid}"):
            async with slots.exported(course.source, course.mover):
                raise AssertionError
        found = await facts.examine(course.source, course.batch)
        assert found.oldest_pid == old.info.backend_pid


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


async def test_a_password_shows_nowhere(fleet_dbs: Fleet, course: Course) -> None:
    await course.begin()
    await publications.publish(course.source, course.mover, course.batch)
    secret = "correct-horse-battery"
    conninfo = f"host=127.0.0.1 port=1 dbname=x user=docshard_mover password={secret}"
    with pytest.raises(Unready) as failed:
        await subscriptions.subscribe(course.target, course.mover, conninfo)
    shown: BaseException | None = failed.value
    while shown is not None:
        assert secret not in str(shown)
        shown = shown.__cause__


async def test_a_publisher_of_other_tables_is_refused(fleet_dbs: Fleet, course: Course) -> None:
    """What is applied is applied with the superuser's rights."""
    await course.begin()
    name = course.mover.forward.name
    async with fleet_dbs.shards["shard-1"].session() as superuser:
        await superuser.execute(
            sql.SQL("CREATE PUBLICATION {} FOR TABLE docshard.residency").format(
                sql.Identifier(name)
            )
        )
    with pytest.raises(psycopg.Error, match="other tables"):
        await subscriptions.subscribe(course.target, course.mover, course.conninfo(course.source))


async def test_debris_goes_by_name_and_nothing_else(fleet_dbs: Fleet, course: Course) -> None:
    async with session(course.source) as mover:
        for call in (
            "SELECT docshard.publish('pub', '{documents}', '{}', gen_random_uuid())",
            "SELECT docshard.unpublish('pub')",
            "SELECT docshard.subscribe('sub', '')",
            "SELECT docshard.unsubscribe('sub')",
        ):
            with pytest.raises(psycopg.errors.InvalidParameterValue):
                await mover.execute(call)
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            await mover.execute(
                "SELECT docshard.publish(%s, '{residency}', ARRAY[gen_random_uuid()], %s)",
                [course.mover.forward.name, uuid_utils.uuid7()],
            )
