"""How a case runs: reach the point, strike, mend, wait for the end, compare everything."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from tests.faults.matrix.cases import Case
from tests.faults.matrix.checks import faults
from tests.faults.matrix.ledger import at_work
from tests.faults.matrix.play import Play, played, reach
from tests.faults.matrix.points import LISTED
from tests.faults.matrix.results import Result
from tests.faults.matrix.world import World

# Where a busy machine lets a lease run out at the switch, the move is aborted before its point.
_ROUNDS = 3
_REPLAYS = 3


class Broken(Exception):
    """What must always hold does not."""


class NeverReached(Exception):
    """The case has shown nothing."""


@dataclass(frozen=True, slots=True)
class _Struck:
    """How a struck move ended; moments of one clock."""

    state: str
    struck_at: float
    ended_at: float


async def run(world: World, case: Case) -> Result:
    """Play the case until its point was reached; fails when it never is, or anything is wrong."""
    for number in range(1, _ROUNDS + 1):
        await world.furnished()
        before = sum(one.writes for one in world.ledgers)
        struck = await _round(world, case)
        await _compare(world)
        if struck is not None:
            writes = sum(one.writes for one in world.ledgers) - before
            gap = max(one.longest_gap(struck.struck_at) for one in world.ledgers)
            end = struck.ended_at - struck.struck_at
            return Result(case.family.name, number, struck.state, writes, gap, end)
    raise NeverReached(f"{case.point}, in {_ROUNDS} rounds")


async def _compare(world: World) -> None:
    await world.settled()
    for ledger in world.ledgers:
        await ledger.replay(_REPLAYS)
    if found := await faults(world):
        raise Broken("\n".join(found))


async def _round(world: World, case: Case) -> _Struck | None:
    """One move; None when it did not come to the point."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(at_work(world.ledgers))
        if case.family.by_links:
            await stack.enter_async_context(world.by_links())
        play = await stack.enter_async_context(played(world, case.point))
        await play.first.run(case.family.rhythm)
        reached, struck_at = await reach(play), time.monotonic()
        if reached:
            await _strike(play, case)
        else:
            await play.second_runs()
        ended = await play.ends()
        ended_at = time.monotonic()
        for ledger in world.ledgers:
            await ledger.served()
        if strange := {one.step for one in play.told()} - {one.step for one in LISTED}:
            raise NeverReached(f"{', '.join(strange)}: of no list of the mover's")
    return _Struck(ended.state, struck_at, ended_at) if reached else None


async def _strike(play: Play, case: Case) -> None:
    await case.family.strike(play)
    try:
        if play.first.alive:
            play.first.go(play.wish)
        await play.second_runs()
    finally:
        await case.family.mend(play)
