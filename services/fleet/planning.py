"""Planning a rebalance: gather the facts, let the planner think. Nothing is changed by it."""

from __future__ import annotations

import asyncio
import gc
from array import array
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from global_db import planning_facts, shard_catalog
from global_db.planning_facts import Residents
from services.errors import Busy, Conflict, NotFound
from services.failures import global_failures
from services.fleet.planner.duration import ONE, AtOnce
from services.fleet.planner.load import TOLERANCE
from services.fleet.planner.plan import Batch, Flow, Goal, Imbalance, Plan
from services.fleet.planner.planning import Assumptions, plan
from services.fleet.planner.population import Columns, Hold, Population, ShardFacts
from services.fleet.planner.prediction import Pace, Past, Prediction, Span, learn
from services.resources import Data
from shards.ring import Ring

__all__ = [
    "AtOnce",
    "Batch",
    "Flow",
    "Goal",
    "Imbalance",
    "Pace",
    "Plan",
    "Prediction",
    "Span",
    "Wishes",
    "make_plan",
    "present_pace",
]

_PAGE = 10_000
_NOBODY = UUID(int=0)
_HOLDS = bytes.maketrans(
    bytes((planning_facts.FREE, planning_facts.PINNED, planning_facts.MOVING)),
    bytes((Hold.FREE, Hold.PINNED, Hold.MOVING)),
)


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to plan: what may run at once, how much unevenness is fine, and shards to plan for as if
    they were draining already."""

    at_once: AtOnce = ONE
    tolerance: float = TOLERANCE
    draining: Collection[str] = ()


DEFAULTS = Wishes()


async def make_plan(data: Data, goal: Goal, wishes: Wishes = DEFAULTS) -> Plan:
    """What to move to meet the goal, as everything is now.

    Clients are read in pages, each of its own moment: who runs a batch looks again where its
    clients live. Deleted clients are planned like others, since their rows have to live somewhere.

    Raises:
        NotFound: a shard that is to drain is not in the catalog.
        Conflict: no shard would be left to take anybody. Busy: a shard was added meanwhile.
        DirectoryUnavailable.
    """
    shards = await _shards(data, wishes.draining)
    population = Population(shards)
    await _fill(data, population)
    assumptions = Assumptions(await present_pace(data), wishes.at_once, wishes.tolerance)
    # Half a minute of thinking in a large fleet: who else uses this loop goes on meanwhile.
    return await asyncio.to_thread(_think, population, goal, assumptions)


async def present_pace(data: Data) -> Pace:
    """How fast moves go here, from those that have ended; the defaults when there are too few.

    Raises:
        DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            finished = await planning_facts.finished_moves(connection)
    return learn([Past(one.rows, one.bytes, one.seconds, one.pause_ms) for one in finished])


def _think(population: Population, goal: Goal, assumptions: Assumptions) -> Plan:
    ring = Ring({shard.name: shard.weight for shard in population.shards if shard.active})
    # A plan has no cycles; the collector would walk its half a million batches again and again
    # while it grows: a quarter of the time that making them takes.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return plan(population, ring, goal, assumptions)
    finally:
        if collecting:
            gc.enable()


async def _shards(data: Data, draining: Collection[str]) -> list[ShardFacts]:
    with global_failures():
        async with data.global_db.read() as connection:
            registered = await shard_catalog.registered(connection)
    for name in set(draining) - {shard.name for shard in registered}:
        raise NotFound(f"There is no shard {name}.")
    facts = [
        ShardFacts(one.name, one.weight, one.status == "active" and one.name not in draining)
        for one in registered
    ]
    if not any(shard.active for shard in facts):
        raise Conflict("No shard takes clients, so there is nowhere to move anybody.")
    return facts


async def _fill(data: Data, population: Population) -> None:
    names = [shard.name for shard in population.shards]
    after = _NOBODY
    while True:
        with global_failures():
            async with data.global_db.read() as connection:
                page = await planning_facts.residents(connection, names, after, _PAGE)
        if page is None:
            return
        if min(page.shard) < 0:
            raise Busy("A shard was added at this very moment.")
        population.extend(_columns(page))
        after = page.last


def _columns(page: Residents) -> Columns:
    return Columns(
        page.ids,
        array("I", page.shard),
        page.hold.translate(_HOLDS),
        page.rows,
        page.bytes_,
        page.reads,
        page.writes,
    )
