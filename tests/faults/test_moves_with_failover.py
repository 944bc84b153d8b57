"""Moves whose source or target fails over: nothing is lost, nothing is open twice, they end."""

import pytest

from tests.faults.guarded import FailOver, Scene, pairs, scene

__all__ = ["pairs", "scene"]

POINTS = [
    ("copy_rows", False),
    ("catch_up", True),
    ("verify", True),
    ("open_target", False),
    ("open_target", True),
    ("commit_point", True),
    ("open_way_back", True),
    ("sweep_source", False),
]


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "alone"])
@pytest.mark.parametrize(("step", "done"), POINTS)
@pytest.mark.parametrize("shard", ["shard-1", "shard-2"])
async def test_a_move_ends_when_a_shard_has_failed_over(
    scene: Scene, shard: str, step: str, done: bool, whole: bool
) -> None:
    """I1, I3, I6."""
    strike = FailOver(scene, shard, step, done, whole)
    async with scene.ledger.writers(), scene.at.runner(strike):
        rebalance = await scene.rebalance()
        await scene.settled(rebalance)
        await strike.over()
        await scene.ledger.more_writes()
    await scene.check("shard-2")
