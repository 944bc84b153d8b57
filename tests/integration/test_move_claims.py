"""Who runs a move: claims, limits, leases; and a run that is over changes nothing any more."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uuid_utils.compat as uuid_utils

from global_db import leftovers, move_claims, move_endings, move_runs, moves
from global_db.connection import WriteConnection
from global_db.leftovers import Thing
from global_db.move_claims import Claimed, Failure
from global_db.move_runs import RunEnded
from global_db.moves import AlreadyMoving, ClientsElsewhere, Move
from services.fleet.moving.runner import COPYING, ENDING
from tests.integration.databases import Fleet
from tests.integration.move_desk import Desk, desk, order_rebalance

NOW = 0.0
LONG = 60.0


@pytest.fixture
async def at(own_fleet: Fleet) -> AsyncIterator[Desk]:
    async with desk(own_fleet) as opened:
        yield opened


async def claim(at: Desk, seconds: float = LONG, lane: tuple[str, ...] = COPYING) -> Claimed | None:
    async with at.data.global_db.write() as connection:
        return await move_claims.claim(connection, "a test", seconds, lane)


async def claimed(at: Desk, seconds: float = LONG) -> Move:
    found = await claim(at, seconds)
    assert found is not None
    return found.move


Act = Callable[[WriteConnection, Move], Awaitable[Any]]
STATEMENTS: dict[str, Act] = {
    "advance": lambda c, m: move_runs.advance(c, m, "copying"),
    "note": lambda c, m: move_runs.note(c, m, facts={"late": True}),
    "switch": lambda c, m: move_endings.switch(c, m, 1, LONG),
    "abort": lambda c, m: move_endings.abort(c, m, None, retry=False, touched=True),
    "end": lambda c, m: move_endings.end(c, m, "swept"),
    "record": lambda c, m: leftovers.record(
        c, m, [(uuid_utils.uuid7(), Thing("shard-1", "slot", "late"))]
    ),
}
SILENT: dict[str, Act] = {
    "release": move_claims.release,
    "fail": lambda c, m: move_claims.fail(c, m, Failure("late", 0.0)),
    "rest": move_claims.rest,
    "begin_sweep": move_claims.begin_sweep,
    "leave_out_pinned": move_endings.leave_out_pinned,
    "removed": lambda c, m: leftovers.removed(c, m, "shard-1", ["slot"], ["kept"]),
}


async def test_a_run_that_is_over_changes_nothing(at: Desk) -> None:
    """I3, I6: every statement of it finds that another generation runs the move."""
    client = await at.fleet.tenant()
    move_id = await at.order({client: 1})
    stale = await claimed(at, NOW)
    current = await claimed(at)
    assert (stale.id, current.generation) == (move_id, stale.generation + 1)
    async with at.data.global_db.write() as connection:
        kept = Thing("shard-1", "slot", "kept")
        await leftovers.record(connection, current, [(uuid_utils.uuid7(), kept)])
    before = await at.get(move_id)
    for act in STATEMENTS.values():
        with pytest.raises(RunEnded):
            async with at.data.global_db.write() as connection:
                await act(connection, stale)
    with pytest.raises(RunEnded):
        await move_claims.heartbeat(at.data.global_db, stale, LONG)
    for act in SILENT.values():
        async with at.data.global_db.write() as connection:
            await act(connection, stale)
    assert await at.get(move_id) == before
    async with at.data.global_db.read() as connection:
        assert [one.thing for one in await leftovers.of_move(connection, move_id)] == [kept]
        assert [one.ended for one in await moves.clients_of(connection, move_id)] == [False]


async def test_a_shard_takes_so_many_moves_at_a_time(at: Desk) -> None:
    """Two unless told otherwise, however many workers claim at once."""
    for _ in range(4):
        await at.order({await at.fleet.tenant(): 1})
    found = [one for one in await asyncio.gather(*(claim(at) for _ in range(4))) if one]
    assert len({one.move.id for one in found}) == len(found) == 2
    async with at.data.global_db.write() as connection:
        await move_runs.advance(connection, found[0].move, "copying")
        await move_claims.release(connection, found[1].move)
    again = await claimed(at)
    assert again.id == found[1].move.id
    assert await claim(at) is None


async def test_a_rebalance_says_whether_its_moves_begin(at: Desk) -> None:
    rebalance = await order_rebalance(at)
    await at.order({await at.fleet.tenant(): 1}, rebalance_id=rebalance)
    await at.rebalance_becomes(rebalance, "paused")
    assert await claim(at) is None
    await at.rebalance_becomes(rebalance, "running", moves_per_source=0)
    assert await claim(at) is None
    await at.rebalance_becomes(rebalance, "stopped")
    found = await claim(at)
    assert found is not None
    assert found.wish == "abort"
    wishes = []
    for state in ("stopped", "paused", "running"):
        await at.rebalance_becomes(rebalance, state)
        wishes.append(await move_claims.heartbeat(at.data.global_db, found.move, LONG))
    assert wishes == ["abort", "pause", "run"]


async def test_a_move_that_failed_is_left_alone_for_a_while_unless_it_is_to_be_aborted(
    at: Desk,
) -> None:
    move_id = await at.order({await at.fleet.tenant(): 1})
    async with at.data.global_db.write() as connection:
        await move_claims.fail(connection, await claimed_in(connection), Failure("no", LONG))
    failed = await at.get(move_id)
    assert (failed.fault, failed.attempts, failed.lease_owner) == ("no", 1, None)
    assert await claim(at) is None
    await at.wish(move_id, "abort")
    found = await claim(at)
    assert found is not None
    assert found.wish == "abort"


async def claimed_in(connection: WriteConnection) -> Move:
    found = await move_claims.claim(connection, "a test", LONG, COPYING)
    assert found is not None
    return found.move


async def test_ends_have_a_lane_of_their_own(at: Desk) -> None:
    await at.order({await at.fleet.tenant(): 1})
    assert await claim(at, lane=ENDING) is None


async def test_orders_that_do_not_fit_the_directory_are_refused(at: Desk) -> None:
    client = await at.fleet.tenant()
    for source, target, epoch in (("shard-2", "shard-1", 1), ("shard-1", "shard-2", 2)):
        with pytest.raises(ClientsElsewhere):
            await at.order({client: epoch}, source, target)
    await at.order({client: 1})
    with pytest.raises(AlreadyMoving):
        await at.order({client: 1})
