"""Moves are ordered all or none, from what is so at that moment; wishes are kept and audited."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from global_db import move_claims
from global_db import moves as orders
from global_db.moves import Move, NewMove
from services.errors import Busy, Conflict, NotFound
from services.fleet import drains, moves, moves_by_hand, rebalances
from services.fleet.moving.runner import COPYING
from services.fleet.planning import Batch, Goal, Plan, Prediction, Span, make_plan
from services.fleet.rebalance_standing import history, standing
from services.fleet.rebalances import RunLimits
from services.resources import Data
from tests.integration.databases import Fleet
from tests.integration.postgres import ADMIN
from tests.integration.waiting import until

LIMITS = RunLimits(bytes_per_second=1_000_000, grace_seconds=5)
AUDIT = """SELECT action, reason, changes->'after' AS after FROM docshard.audit_logs
            WHERE entity_id = %s ORDER BY created_at, id"""


@pytest.fixture
async def data(fleet_dbs: Fleet) -> AsyncIterator[Data]:
    """What a command holds; no move and nobody's pin is left behind."""
    async with fleet_dbs.opened(ADMIN) as opened:
        await opened.registry.refresh()
        yield opened
    await sql(fleet_dbs, "TRUNCATE docshard.rebalances CASCADE")
    await sql(fleet_dbs, "UPDATE docshard.clients SET pinned = false, shard = 'shard-2'")


def plan_of(*batches: Sequence[UUID]) -> Plan:
    """A plan that moves these from the first shard to the second."""
    none = Span(0, 0, 0)
    made = tuple(
        Batch("shard-1", "shard-2", tuple(ids), 10, 100, Prediction(Span(1, 2, 3), none))
        for ids in batches
    )
    even: Any = None
    plain = dict.fromkeys(("population", "unmeasured", "learnt_from"), 0)
    return Plan(Goal.RING, made, even, even, none, none, (), **plain)


async def sql(fleet: Fleet, statement: str, *values: Any) -> list[dict[str, Any]]:
    async with fleet.global_db.session() as session:
        cursor = await session.execute(statement, values)
        return await cursor.fetchall() if cursor.description else []


async def ordered(data: Data) -> list[Move]:
    return [one.move for one in (await standing(data)).overview.moves]


async def test_a_plan_becomes_moves_of_those_who_are_still_as_it_knew_them(
    data: Data, fleet_dbs: Fleet
) -> None:
    stays, pinned, left = [await fleet_dbs.tenant(epoch=3) for _ in range(3)]
    await sql(fleet_dbs, "UPDATE docshard.clients SET pinned = true WHERE id = %s", pinned)
    await fleet_dbs.place(left, "shard-2", 4)
    plan = await _real(data, [stays, pinned, left, uuid4()], [pinned])
    started = await rebalances.start(data, plan, LIMITS, "more room")
    assert (started.moves, started.clients) == (1, 1)
    assert started.left_out == {"pinned": 2, "moved": 1, "gone": 1}
    [made] = await ordered(data)
    [client] = (await moves.detail(data, made.id)).clients
    assert (client.client_id, client.epoch, client.ended) == (stays, 3, False)
    assert made.predicted["rows"] == 10
    found = await standing(data)
    assert found.limits == LIMITS
    assert found.rebalance.reason == "more room"
    planned, told = await sql(fleet_dbs, AUDIT, started.rebalance.id)
    assert (planned["action"], planned["reason"]) == ("rebalance.plan", "more room")
    assert (told["action"], told["reason"]) == ("rebalance.start", "more room")
    assert told["after"]["moves"] == 1


async def _real(data: Data, *batches: Sequence[UUID]) -> Plan:
    """The same with the imbalance of a plan that was made."""
    shape = await make_plan(data, Goal.RING)
    plan = plan_of(*batches)
    return Plan(
        **{name: getattr(plan, name) for name in Plan.__slots__ if name not in ("before", "after")},
        before=shape.before,
        after=shape.after,
    )


async def test_one_rebalance_lives_at_a_time(data: Data, fleet_dbs: Fleet) -> None:
    first, second = [await fleet_dbs.tenant() for _ in range(2)]
    await rebalances.start(data, await _real(data, [first]), LIMITS, None)
    with pytest.raises(Conflict, match="under way"):
        await rebalances.start(data, await _real(data, [second]), LIMITS, None)
    assert len(await ordered(data)) == 1
    with pytest.raises(Conflict, match="under way"):
        await drains.drain(data, "shard-1", LIMITS, None)
    [shard] = await sql(fleet_dbs, "SELECT status FROM docshard.shards WHERE name = 'shard-1'")
    assert shard["status"] == "active"


async def test_nobody_left_to_move_starts_nothing(data: Data) -> None:
    with pytest.raises(Conflict, match="nothing to move"):
        await rebalances.start(data, await _real(data, [uuid4()]), LIMITS, None)
    assert await history(data, 10) == []


async def test_pause_resume_and_stop_are_kept_and_audited(data: Data, fleet_dbs: Fleet) -> None:
    batches = [[await fleet_dbs.tenant()] for _ in range(4)]
    made = (await rebalances.start(data, await _real(data, *batches), LIMITS, None)).rebalance
    with pytest.raises(Conflict, match="is running"):
        await rebalances.resume(data, None)
    assert (await rebalances.pause(data, "peak hours")).state == "paused"
    assert (await standing(data)).overview.eta.why == "paused"
    assert (await rebalances.resume(data, None)).state == "running"
    states = ["copying", "fenced", "switched", "planned"]
    for one, state in zip(await ordered(data), states, strict=True):
        await sql(fleet_dbs, "UPDATE docshard.moves SET state = %s WHERE id = %s", state, one.id)
    stopped = await rebalances.stop(data, "enough")
    assert stopped.state == "stopped"
    assert stopped.finished_at is not None
    assert [one.wish for one in await ordered(data)] == ["abort", "run", "run", "abort"]
    with pytest.raises(NotFound):
        await rebalances.pause(data, None)
    told = [(row["action"], row["reason"]) for row in await sql(fleet_dbs, AUDIT, made.id)]
    assert told == [
        ("rebalance.plan", None),
        ("rebalance.start", None),
        ("rebalance.pause", "peak hours"),
        ("rebalance.resume", None),
        ("rebalance.stop", "enough"),
    ]


async def test_a_large_plan_is_ordered_in_batches_and_runs_when_all_is_there(
    data: Data, fleet_dbs: Fleet
) -> None:
    batches = [[await fleet_dbs.tenant()] for _ in range(5)]
    gone = [[uuid4()], [uuid4()]]
    plan = await _real(data, *gone, *batches)
    started = await rebalances.start(data, plan, LIMITS, None, at_once=2)
    assert (started.moves, started.clients, started.left_out) == (5, 5, {"gone": 2})
    assert started.rebalance.state == "running"
    found = await ordered(data)
    assert [one.position for one in found] == [0, 1, 2, 3, 4]
    moved = [(await moves.detail(data, one.id)).clients[0].client_id for one in found]
    assert moved == [client for [client] in batches]


async def test_an_order_that_loses_a_client_midway_is_withdrawn(
    data: Data, fleet_dbs: Fleet
) -> None:
    first, taken = [await fleet_dbs.tenant() for _ in range(2)]
    plan = await _real(data, [first], [taken])
    async with data.global_db.write() as connection:
        other = NewMove(uuid4(), "shard-1", "shard-2", {taken: 1})
        await orders.create(connection, other)
        start = asyncio.create_task(rebalances.start(data, plan, LIMITS, None, at_once=1))
        await until(partial(_counts, fleet_dbs, "docshard.moves WHERE rebalance_id IS NOT NULL", 1))
        await until(partial(_counts, fleet_dbs, "pg_locks WHERE NOT granted", 1))
    with pytest.raises(Busy):
        await start
    assert [(one.state, one.wish) for one in await ordered(data)] == [("planned", "abort")]
    assert (await standing(data)).rebalance.state == "stopped"


async def test_a_start_that_was_killed_midway_runs_nothing_and_can_be_removed(
    data: Data, fleet_dbs: Fleet
) -> None:
    batches = [[await fleet_dbs.tenant()] for _ in range(4)]
    plan = await _real(data, *batches)
    async with fleet_dbs.global_db.session() as other, other.transaction():
        [third] = batches[2]
        await other.execute("SELECT FROM docshard.clients WHERE id = %s FOR UPDATE", [third])
        start = asyncio.create_task(rebalances.start(data, plan, LIMITS, None, at_once=1))
        await until(partial(_counts, fleet_dbs, "docshard.moves WHERE rebalance_id IS NOT NULL", 2))
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
    assert (await standing(data)).rebalance.state == "planned"
    assert len(await ordered(data)) == 2
    async with data.global_db.read() as connection:
        assert not await move_claims.is_due(connection, COPYING)
    for refused in (rebalances.pause, rebalances.resume):
        with pytest.raises(Conflict, match="planned"):
            await refused(data, None)
    assert (await rebalances.stop(data, "half of it")).state == "stopped"
    assert {one.wish for one in await ordered(data)} == {"abort"}
    async with data.global_db.read() as connection:
        assert await move_claims.is_due(connection, COPYING)


async def _counts(fleet: Fleet, what: str, number: int) -> bool:
    [row] = await sql(fleet, f"SELECT count(*) FROM {what}")  # noqa: S608 - words of this file
    return int(row["count"]) == number


async def test_by_hand_only_those_move_who_may(data: Data, fleet_dbs: Fleet) -> None:
    one, other, pinned = [await fleet_dbs.tenant() for _ in range(3)]
    await sql(fleet_dbs, "UPDATE docshard.clients SET pinned = true WHERE id = %s", pinned)
    plan = moves_by_hand.plan_by_hand
    with pytest.raises(NotFound):
        await plan(data, [str(one)], "shard-9")
    with pytest.raises(NotFound):
        await plan(data, ["nobody"], "shard-2")
    with pytest.raises(Conflict, match="already"):
        await plan(data, [str(one)], "shard-1")
    with pytest.raises(Conflict, match="pinned"):
        await plan(data, [str(one), str(pinned)], "shard-2")
    [batch] = await plan(data, [str(one), str(other), str(one)], "shard-2")
    [move] = await moves_by_hand.create(data, [batch], "by hand")
    assert (move.source, move.target, move.state) == ("shard-1", "shard-2", "planned")
    assert {c.client_id for c in (await moves.detail(data, move.id)).clients} == {one, other}
    with pytest.raises(Conflict, match="being moved"):
        await moves_by_hand.create(data, [batch], None)
    [told] = await sql(fleet_dbs, AUDIT, move.id)
    assert (told["action"], told["reason"]) == ("move.create", "by hand")
    assert told["after"]["target"] == "shard-2"


async def test_an_aborted_move_is_retried_once_with_those_who_are_still_there(
    data: Data, fleet_dbs: Fleet
) -> None:
    one, other = [await fleet_dbs.tenant() for _ in range(2)]
    plan = await _real(data, [one, other])
    await rebalances.start(data, plan, LIMITS, None)
    [old] = await ordered(data)
    with pytest.raises(Conflict, match="planned"):
        await moves.retry(data, old.id, None)
    assert (await moves.abort(data, old.id, "wrong shard")).wish == "abort"
    assert (await moves.abort(data, old.id, None)).wish == "abort"
    await sql(fleet_dbs, "UPDATE docshard.moves SET state = 'aborted' WHERE id = %s", old.id)
    await sql(fleet_dbs, "UPDATE docshard.move_clients SET ended = true")
    await fleet_dbs.place(other, "shard-2", 2)
    again = await moves.retry(data, old.id, None)
    assert (again.retries, again.rebalance_id) == (old.id, old.rebalance_id)
    assert [c.client_id for c in (await moves.detail(data, again.id)).clients] == [one]
    with pytest.raises(Conflict):
        await moves.retry(data, old.id, None)
    with pytest.raises(Conflict, match="aborted"):
        await moves.abort(data, old.id, None)
    actions = [row["action"] for row in await sql(fleet_dbs, AUDIT, old.id)]
    assert actions == ["move.abort"]


async def test_a_move_is_reversed_only_within_its_grace(data: Data, fleet_dbs: Fleet) -> None:
    client = await fleet_dbs.tenant()
    [batch] = await moves_by_hand.plan_by_hand(data, [str(client)], "shard-2")
    [move] = await moves_by_hand.create(data, [batch], None)
    with pytest.raises(Conflict, match="abort it instead"):
        await moves.reverse(data, move.id, None)
    await fleet_dbs.place(client, "shard-2", 2)
    switched = "UPDATE docshard.moves SET state = 'switched', facts = %s WHERE id = %s"
    await sql(fleet_dbs, switched, '{"way_back": {}, "sweeping": true}', move.id)
    with pytest.raises(Conflict, match="grace is over"):
        await moves.reverse(data, move.id, None)
    with pytest.raises(Conflict, match="reverse"):
        await moves.abort(data, move.id, None)
    await sql(fleet_dbs, switched, '{"way_back": {}}', move.id)
    back = await moves.reverse(data, move.id, "wrong shard")
    assert (back.source, back.target, back.reverses) == ("shard-2", "shard-1", move.id)
    [told] = await sql(fleet_dbs, AUDIT, back.id)
    assert (told["action"], told["after"]["follows"]) == ("move.reverse", str(move.id))


async def test_a_draining_shard_gives_all_but_the_pinned(data: Data, fleet_dbs: Fleet) -> None:
    client, pinned = [await fleet_dbs.tenant() for _ in range(2)]
    await sql(fleet_dbs, "UPDATE docshard.clients SET pinned = true WHERE id = %s", pinned)
    assert (await drains.plan_drain(data, "shard-1", LIMITS)).pinned == [str(pinned)]
    started = await drains.drain(data, "shard-1", LIMITS, "old machine")
    assert started is not None
    assert started.rebalance.goal == "drain"
    [move] = await ordered(data)
    assert [c.client_id for c in (await moves.detail(data, move.id)).clients] == [client]
    taking, stopped = await drains.cancel(data, "shard-1", None)
    assert taking.status == "active"
    assert stopped is not None
    assert stopped.state == "stopped"
