"""A switch that is rehearsed changes nothing, and says beforehand what it will say."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from services.fleet.moving import switch
from services.fleet.moving.run import Run
from services.resources import Data
from shards.copying import fence, markers, publications
from shards.copying.batch import Stream
from tests.integration.databases import Fleet
from tests.integration.hooks import Hook
from tests.integration.move_desk import Desk, Ledger, desk, unsettled
from tests.integration.movers import Course, make_course, make_streaming
from tests.integration.postgres import Database

__all__ = ["make_course", "make_streaming"]

pytestmark = pytest.mark.versions

# With xmin: a row that was written anew differs, whatever stands in it.
ON_SHARD = (
    "SELECT xmin::text, * FROM docshard.residency ORDER BY client_id",
    "SELECT xmin::text, * FROM docshard.move_claims ORDER BY move_id",
    "SELECT xmin::text, * FROM docshard.move_markers ORDER BY move_id, number",
)
IN_DIRECTORY = (
    "SELECT xmin::text, id, shard, epoch FROM docshard.clients ORDER BY id",
    "SELECT xmin::text, id FROM docshard.audit_logs ORDER BY id",
    "SELECT xmin::text, * FROM docshard.leftovers ORDER BY id",
    "SELECT xmin::text, * FROM docshard.move_clients ORDER BY move_id, client_id",
)
SLOT = "SELECT pg_create_logical_replication_slot(%s, 'pgoutput')"
DECODED = """SELECT count(*) AS changes FROM pg_logical_slot_peek_binary_changes(
                 %s, NULL, NULL, 'proto_version', '1', 'publication_names', %s)"""


async def rows(database: Database, *queries: str) -> list[list[dict[str, Any]]]:
    async with database.session() as session:
        return [await (await session.execute(query)).fetchall() for query in queries]


class Between(Hook):
    """Looks at everything when the last step before the fence is done, and again at the fence."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__("approach", done=True)
        self.fleet = fleet
        self.looks: list[list[list[dict[str, Any]]]] = []

    async def __call__(self, run: Run, step: str, done: bool) -> None:
        if (step, done) in (self.at, (switch.STEPS[0], False)):
            await self.act(run)

    async def act(self, _run: Run) -> None:
        look = await rows(self.fleet.global_db, *IN_DIRECTORY)
        for shard in self.fleet.shards.values():
            look += await rows(shard, *ON_SHARD)
        self.looks.append(look)


async def test_a_rehearsed_switch_has_changed_nothing(fleet_dbs: Fleet, fleet_data: Data) -> None:
    """I6: residency, claims, markers, directory, books and audit log are as they were."""
    ledger = Ledger(fleet_dbs, fleet_data, [await fleet_dbs.tenant() for _ in range(2)])
    await ledger.write_each()
    between = Between(fleet_dbs)
    async with desk(fleet_dbs) as at:
        async with at.runner(between):
            move = await at.ends(await at.order(ledger.at_epoch(1)), "swept")
        before, at_fence = between.looks
        assert at_fence == before
        assert await unsettled(at) == []
    await ledger.check("shard-2", epoch=2)
    assert set(move.actual["switch_ms"]) == set(switch.STEPS)
    assert all(took >= 0 for took in move.actual["switch_ms"].values())
    assert move.actual["pause_ms"] >= move.actual["switch_ms"]["commit_point"]


async def test_no_subscriber_is_sent_anything_of_it(fleet_dbs: Fleet, streaming: Course) -> None:
    """I3: not even a marker, which would prove what is not so."""
    source, mover = streaming.source, streaming.mover
    watching = Stream(mover.move_id, back=True)
    shard = fleet_dbs.shards["shard-1"]
    async with source.keep() as kept, shard.session() as superuser:
        await superuser.execute(SLOT, [watching.name])
        try:
            await fence.rehearse_fence(kept, mover)
            assert await decoded(superuser, watching, mover.forward) == 0
            assert [row.state for row in await fence.found(source, streaming.batch)] == [
                "open",
                "open",
            ]
            number = await markers.put(source, mover)
            assert await decoded(superuser, watching, mover.forward) > 0
        finally:
            await superuser.execute("SELECT pg_drop_replication_slot(%s)", [watching.name])
    assert number == 2
    await streaming.arrived(number)


async def decoded(
    superuser: psycopg.AsyncConnection[dict[str, Any]], slot: Stream, published: Stream
) -> int:
    """How much a subscriber to the published would be sent from the slot."""
    cursor = await superuser.execute(DECODED, [slot.name, published.name])
    row = await cursor.fetchone()
    assert row is not None
    return int(row["changes"])


async def test_an_opening_that_is_rehearsed_opens_nobody(streaming: Course) -> None:
    target, mover = streaming.target, streaming.mover
    await publications.publish(target, mover, streaming.batch, back=True)
    await streaming.prepare_back()
    before = await fence.found(target, streaming.batch)
    async with target.keep() as kept:
        await fence.rehearse_opening(kept, mover)
    assert await fence.found(target, streaming.batch) == before
    assert {row.state for row in before} == {"importing"}


async def test_what_fails_at_the_rehearsal_is_tried_again_before_anybody_waits(
    fleet_dbs: Fleet, fleet_data: Data
) -> None:
    """The lock of the tenant whom nobody has stands for a server that does not answer."""
    ledger = Ledger(fleet_dbs, fleet_data, [await fleet_dbs.tenant()])
    await ledger.write_each()
    steps: list[str] = []

    async def told(_run: Run, step: str, _done: bool) -> None:
        steps.append(step)

    async with desk(fleet_dbs) as at, fleet_dbs.shards["shard-1"].session() as other:
        move_id = await at.order(ledger.at_epoch(1))
        await other.execute("SELECT pg_advisory_lock(docshard.tenant_lock(%s))", [move_id])
        async with at.runner(told), ledger.writers():
            failed = await at.faulty(move_id)
            assert (failed.state, switch.STEPS[0] in steps) == ("verifying", False)
            assert await states(at, ledger.tenants[0]) == ["open"]
            await other.execute("SELECT pg_advisory_unlock_all()")
            assert (await at.ends(move_id, "swept")).fault is None
    await ledger.check("shard-2", epoch=2)


async def states(at: Desk, tenant: UUID) -> list[str]:
    """How the tenant stands on the source."""
    async with at.fleet.shards["shard-1"].session() as session:
        cursor = await session.execute(
            "SELECT state FROM docshard.residency WHERE client_id = %s", [tenant]
        )
        return [row["state"] for row in await cursor.fetchall()]
