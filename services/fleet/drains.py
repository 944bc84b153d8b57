"""Emptying a shard: it takes no new clients from the first moment on, and a rebalance moves all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from global_db import candidates, rebalances
from global_db.rebalances import Rebalance
from services.errors import Conflict
from services.failures import global_failures
from services.fleet import rebalances as runs
from services.fleet.planning import Goal, Plan, Wishes, make_plan
from services.fleet.rebalances import RunLimits, Started
from services.fleet.shards import Shard, set_draining
from services.resources import Data


@dataclass(frozen=True, slots=True)
class Drain:
    """What emptying a shard takes. `pinned`: codes of clients that stay until they are unpinned."""

    shard: str
    plan: Plan
    pinned: Sequence[str]


async def plan_drain(data: Data, shard: str, limits: RunLimits) -> Drain:
    """What would move if the shard drained, as everything is now.

    Raises:
        NotFound: there is no such shard. Conflict: no other takes clients. DirectoryUnavailable.
    """
    plan = await make_plan(data, Goal.DRAIN, Wishes(at_once=limits.at_once, draining=(shard,)))
    with global_failures():
        async with data.global_db.read() as connection:
            seen = await candidates.seen(connection, plan.obstacles)
    here = sorted(one.code for one in seen.values() if one.shard == shard)
    return Drain(shard, plan, here)


async def drain(data: Data, shard: str, limits: RunLimits, reason: str | None) -> Started | None:
    """Refuse new clients and start moving all others; None when nobody is left to move.

    The plan is made behind the refusal: whoever was admitted before is in it.

    Raises:
        NotFound; Conflict: another rebalance lives, or this is the last shard that takes clients;
        Busy, DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            if await rebalances.living(connection) is not None:
                raise Conflict("A rebalance is under way: see `docshard rebalance status`.")
    await set_draining(data, shard, True, reason)
    plan = (await plan_drain(data, shard, limits)).plan
    return await runs.start(data, plan, limits, reason) if plan.batches else None


async def cancel(data: Data, shard: str, reason: str | None) -> tuple[Shard, Rebalance | None]:
    """Let the shard take clients again, and stop the drain that is under way, if one is.

    Who has left already stays away: a rebalance to the goal `ring` brings back whom the ring wants
    there.

    Raises:
        NotFound, Busy, DirectoryUnavailable.
    """
    taking = await set_draining(data, shard, False, reason)
    with global_failures():
        async with data.global_db.read() as connection:
            living = await rebalances.living(connection)
    if living is None or living.goal != Goal.DRAIN:
        return taking, None
    return taking, await runs.stop(data, reason)
