"""Moves whose source or target fails over: nothing is lost, nothing is open twice, they end.

The matrix of faults strikes at every step while the dead server comes back; here it is back before
the runner goes on, and what a failover leaves in other places is looked at.
"""

import asyncio
import random
from collections.abc import Callable

import pytest

from services.fleet.moving.run import Run
from services.move_settings import MoveSettings
from shards.copying.batch import Stream
from tests.faults.guarded import SETTLED_SECONDS, FailOver, Scene, pairs, scene
from tests.faults.matrix.points import AT_SWITCH, BEFORE_SWITCH, BEHIND_SWITCH
from tests.integration.hooks import Hook

__all__ = ["pairs", "scene"]

LONG_GRACE = MoveSettings(grace_seconds=600, pause_seconds=10)
MAKE_SLOT = "SELECT pg_create_logical_replication_slot(%s, 'pgoutput')"
EVERY_DAY = [("shard-1", "flush_source", False), ("shard-2", "open_target", True)]
POINTS = [
    (shard, step, done)
    for shard in ("shard-1", "shard-2")
    for step, done in (
        ("copy_rows", False),
        ("copy_rows", True),
        ("catch_up", True),
        ("verify", True),
        ("approach", True),
        ("flush_source", False),
        ("open_target", True),
        ("last_look", True),
        ("commit_point", True),
        ("open_way_back", True),
        ("sweep_source", False),
    )
]
ROUNDS = 60
SEED = 8


@pytest.mark.parametrize(
    ("shard", "step", "done"),
    [
        pytest.param(*point, marks=[] if point in EVERY_DAY else [pytest.mark.torture])
        for point in POINTS
    ],
)
async def test_a_move_ends_when_a_shard_has_failed_over(
    scene: Scene, shard: str, step: str, done: bool
) -> None:
    """I1, I3, I6: by its timeline alone the promoted server is told apart."""
    strike = FailOver(scene, shard, step, done, whole=True)
    async with scene.ledger.writers(), scene.runner(strike):
        await scene.settled(await scene.rebalance())
        await strike.over()
        await scene.ledger.more_writes()
    await scene.check("shard-2")


@pytest.mark.versions
async def test_a_slot_that_outlives_a_failover_of_the_target_proves_nothing(scene: Scene) -> None:
    """I1: what the promoted server lacks was confirmed before, and is not sent again."""

    class LoseWhatWasApplied(Hook):
        async def act(self, run: Run) -> None:
            pair = scene.pairs["shard-2"]
            await asyncio.to_thread(pair.cut_off)
            await scene.ledger.write_each()
            await scene.confirmed("shard-1", run.mover.forward)
            await asyncio.to_thread(pair.fail_over)
            # As whoever copies slots to standbys does.
            async with scene.fleet.shards["shard-2"].session() as session:
                await session.execute(MAKE_SLOT, [run.mover.stream(back=True).name])
            await asyncio.to_thread(pair.rejoin)

    async with scene.runner(LoseWhatWasApplied("fence_source")):
        await scene.settled(await scene.rebalance())
    await scene.check("shard-2")


async def test_a_way_back_that_lost_rows_in_a_failover_is_copied_anew(scene: Scene) -> None:
    """I1: rows come back that were applied and confirmed, and then lost with the server."""
    scene.at.settings = LONG_GRACE
    pair = scene.pairs["shard-1"]
    async with scene.runner():
        there = await scene.at.order(await scene.homes())
        moved = await scene.at.reversible(there, SETTLED_SECONDS)
        await asyncio.to_thread(pair.cut_off)
        await scene.ledger.write_each()
        await scene.confirmed("shard-2", Stream(there, back=True))
        await asyncio.to_thread(pair.fail_over)
        await asyncio.to_thread(pair.rejoin)
        async with scene.ledger.writers():
            back = await scene.at.reverse(moved, await scene.homes())
            await scene.at.reaches(back, "switched", seconds=SETTLED_SECONDS)
        await scene.at.hasten(back)
        for move in (back, there):
            await scene.at.ends(move, "swept", seconds=SETTLED_SECONDS)
    await scene.check("shard-1")


async def test_slots_that_a_former_primary_kept_are_gone_when_it_leads_again(scene: Scene) -> None:
    """Who hands over in order keeps its slots, and WAL with them, though it follows."""

    class HandOver(Hook):
        async def act(self, _run: Run) -> None:
            await asyncio.to_thread(scene.pairs["shard-1"].hand_over)

    async with scene.ledger.writers(), scene.runner(HandOver("verify")):
        await scene.settled(await scene.rebalance())
    await asyncio.to_thread(scene.pairs["shard-1"].hand_over)
    await scene.check("shard-2")


@pytest.mark.torture
async def test_moves_to_and_fro_while_servers_take_turns(
    scene: Scene, tell: Callable[[str], None]
) -> None:
    """I1, I3, I6, round after round on the same tenants and the same servers."""
    chance = random.Random(SEED)
    steps = [one.step for one in (*BEFORE_SWITCH, *AT_SWITCH, *BEHIND_SWITCH)]
    home, other = "shard-1", "shard-2"
    for number in range(ROUNDS):
        shard, step = chance.choice((home, other)), chance.choice(steps)
        done, whole = chance.random() < 0.5, chance.random() < 0.5
        tell(f"round {number + 1}: {shard}, {step}, done {done}, whole {whole}")
        strike = FailOver(scene, shard, step, done, whole)
        async with scene.ledger.writers(), scene.runner(strike):
            await scene.settled(await scene.rebalance(home, other))
            await strike.over()
        await scene.check(other)
        home, other = other, home
    writes = sum(map(len, scene.ledger.written.values()))
    tell(f"{ROUNDS} rounds, {writes} acknowledged writes, each there once")
