"""What flows from shard to shard in a move: the copy, the stream, and the proof of both."""

from dataclasses import replace

import psycopg
import pytest
import uuid_utils.compat as uuid_utils
from psycopg import sql

from shards.copying import (
    copy,
    digests,
    facts,
    fence,
    markers,
    publications,
    slots,
    subscriptions,
)
from shards.copying.batch import Portions
from shards.copying.errors import Diverged, Superseded, Unready
from shards.copying.sessions import session
from shards.tables import TENANT_TABLES, audit_logs, idempotency_keys
from tests.integration.databases import Fleet
from tests.integration.movers import ROWS, Course, contents, furnished, go_on
from tests.integration.rows import insert, sample

pytestmark = pytest.mark.versions

REPLICA = "SET session_replication_role = replica"


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


async def test_every_difference_is_found(fleet_dbs: Fleet, streaming: Course) -> None:
    batch = replace(streaming.batch, portions=Portions(readings=3))
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
            await digests.verify(streaming.source, streaming.target, streaming.mover, batch, go_on)
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


async def test_a_slot_names_the_transaction_that_it_waits_for(
    fleet_dbs: Fleet, course: Course
) -> None:
    await course.begin()
    async with fleet_dbs.shards["shard-1"].session() as old, old.transaction():
        await old.execute("SELECT pg_current_xact_id()")
        with pytest.raises(Unready, match=f"pid {old.info.backend_pid}"):
            async with slots.exported(course.source, course.mover, seconds=0.3):
                raise AssertionError
        found = await facts.examine(course.source, course.batch)
        assert found.oldest_pid == old.info.backend_pid


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


async def test_ranges_of_keys_leave_nothing_out(fleet_dbs: Fleet, course: Course) -> None:
    """Copy, digests and sweep cut tables at many keys of every type, and lose no row at a cut."""
    portions = Portions(copied=5, compared=6, swept=4)
    course = replace(course, batch=replace(course.batch, portions=portions))
    client = course.batch.clients[0]
    async with fleet_dbs.shards["shard-1"].session() as superuser, superuser.transaction():
        await superuser.execute(REPLICA)
        for table in TENANT_TABLES:
            for number in range(21):
                row = sample(table, client, client)
                text, count = f"{number}, \"'{{}}\\", number + 2
                new = {"key": text, "s3_key": text, "seq": count, "version_number": count}
                row |= {name: new[name] for name in new.keys() & row.keys()}
                await insert(superuser, table, row)
    rows = 2 * ROWS + 21 * len(TENANT_TABLES)
    await course.begin()
    assert (await course.copy()).rows == rows
    here = await contents(fleet_dbs.shards["shard-1"], client)
    assert await contents(fleet_dbs.shards["shard-2"], client) == here
    verified = await digests.verify(course.source, course.target, course.mover, course.batch, go_on)
    assert (verified.rows, verified.rechecked) == (rows, 0)
    assert verified.chunks > 5 * len(TENANT_TABLES)
    await course.end_forward()
    assert await copy.wipe(course.target, course.mover, course.batch, go_on) == rows
    assert not any((await contents(fleet_dbs.shards["shard-2"], client)).values())
