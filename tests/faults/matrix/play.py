"""One case as it is played: a move, the runner that is struck, and one that goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import psycopg

from global_db import leftovers, moves
from global_db.errors import ClusterError
from global_db.moves import Move
from services.fleet import moves as orders
from services.fleet import moves_by_hand
from services.fleet.moving.steps import STEPS
from services.fleet.moving.transitions import State
from tests.faults.matrix.points import SWEEPS, Point, Route
from tests.faults.matrix.runners import RunnerProcess, Told
from tests.faults.matrix.stands import Stand
from tests.faults.matrix.world import World
from tests.integration.waiting import until

ENDED = ("swept", "aborted")
# Where an abort finds the move: rows are copied, both streams are there.
_ON_THE_WAY = Point(Route.FORWARD, State.VERIFYING, STEPS[State.VERIFYING][0].name, False)
REACH_SECONDS = 60.0
END_SECONDS = 60.0
_LAST_WORD_SECONDS = 2.0
_SWEEP_NOW = """
    UPDATE docshard.moves SET sweep_after = now(), not_before = NULL
     WHERE id = %s AND state = 'switched' AND sweep_after > now() AND facts ? 'way_back'
"""
_END_LEASE = "UPDATE docshard.moves SET lease_until = now() - interval '1 second' WHERE id = %s"


@dataclass
class Play:
    """A move under way, and who is at it. `wish`: what the first runner hears before it goes on."""

    world: World
    point: Point
    first: RunnerProcess
    second: RunnerProcess
    move_id: UUID
    source: Stand
    target: Stand
    generation: int = 0
    wish: str | None = None

    async def move(self) -> Move:
        """As it is, once the directory answers."""
        found: list[Move | None] = []

        async def there() -> bool:
            with suppress(ClusterError):
                async with self.world.operator.global_db.read() as connection:
                    found.append(await moves.get(connection, self.move_id))
            return bool(found)

        await until(there, END_SECONDS)
        assert found[0] is not None
        return found[0]

    def told(self) -> list[Told]:
        """What both runners said."""
        return [*self.first.told, *self.second.told]

    async def second_runs(self) -> None:
        """Another runner is at work from now on."""
        if not self.second.runs:
            await self.second.run()

    async def lease_ends(self) -> None:
        """As if the first runner's clock were slow."""
        async with self.world.fleet.global_db.session() as session:
            await session.execute(_END_LEASE, [self.move_id])

    async def taken_over(self) -> None:
        """Wait until another run has begun, or nothing is left to be done."""

        async def there() -> bool:
            move = await self.move()
            return move.generation > self.generation or move.state in ENDED

        await until(there, END_SECONDS)

    async def ends(self) -> Move:
        """Wait until the move has ended and left nothing; its grace ends once it has begun."""

        async def there() -> bool:
            return await _ended(self.world, self.move_id)

        try:
            await until(there, END_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{await self.move()}") from error
        return await self.move()


async def _ended(world: World, move_id: UUID) -> bool:
    """Whether the move is over; hurries it through its grace."""
    try:
        async with world.fleet.global_db.session() as session:
            await session.execute(_SWEEP_NOW, [move_id])
        async with world.operator.global_db.read() as connection:
            found = await moves.get(connection, move_id)
            left = await leftovers.of_move(connection, move_id)
    except (ClusterError, psycopg.OperationalError):
        return False
    return found is not None and found.state in ENDED and not left


@asynccontextmanager
async def played(world: World, point: Point) -> AsyncIterator[Play]:
    """A play whose first runner is not told to run yet; the move is not ordered either."""
    home, _ = await world.home(world.batch[0].client_id)
    async with AsyncExitStack() as stack:
        first, second = [await world.runners.take() for _ in range(2)]
        for runner in (first, second):
            stack.push_async_callback(world.runners.give_back, runner)
        source, target = world.shards[home], world.shards[world.other(home)]
        yield Play(world, point, first, second, UUID(int=0), source, target)


async def reach(play: Play) -> bool:
    """Bring a move to the point, and the first runner to hold there. False: it ended before."""
    if play.point.route is Route.BACK:
        await _order(play)
        await _switched(play)
        await play.first.hold(play.point, besides=str(play.move_id))
        await _reverse(play)
    elif play.point.route is Route.ABORT:
        await play.first.hold(_ON_THE_WAY)
        await _order(play)
        if not await play.first.held(REACH_SECONDS):
            return False
        await orders.abort(play.world.operator, play.move_id, "a test")
        await play.first.hold(play.point)
        play.first.go("abort")
    else:
        await play.first.hold(play.point)
        await _order(play)
    return await _held(play)


async def _held(play: Play) -> bool:
    """Wait for the first runner at the point; a grace ends where the point lies behind it."""
    async with asyncio.timeout(REACH_SECONDS):
        while not await play.first.held(0.1):
            if play.point.step in SWEEPS and await _ended(play.world, play.move_id):
                return False
            if (await play.move()).state in ENDED and play.point.route is not Route.ABORT:
                # The last point of all lies behind the state's change.
                if not await play.first.held(_LAST_WORD_SECONDS):
                    return False
                break
    play.generation = (await play.move()).generation
    return True


async def _order(play: Play) -> None:
    data, names = play.world.operator, [str(one.client_id) for one in play.world.batch]
    [batch] = await moves_by_hand.plan_by_hand(data, names, play.target.name)
    [move] = await moves_by_hand.create(data, [batch], "a test")
    play.move_id = move.id


async def _switched(play: Play) -> None:
    """Wait until the move can be reversed."""

    async def there() -> bool:
        move = await play.move()
        assert move.state not in ENDED, move
        return bool(move.facts.get("way_back"))

    await until(there, REACH_SECONDS)


async def _reverse(play: Play) -> None:
    made = await orders.reverse(play.world.operator, play.move_id, "a test")
    play.move_id = made.id
    play.source, play.target = play.target, play.source
