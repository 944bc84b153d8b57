"""From a population and a goal to a plan."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from services.fleet.planner.batching import batches
from services.fleet.planner.duration import ONE, AtOnce, duration, longest_pause
from services.fleet.planner.homes import drained, ring_homes
from services.fleet.planner.load import TOLERANCE, bounded_load
from services.fleet.planner.plan import Goal, Plan
from services.fleet.planner.population import Hold, Population
from services.fleet.planner.prediction import DEFAULT_PACE, Pace
from services.fleet.planner.shares import imbalance
from shards.ring import Ring


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a plan rests on besides the facts."""

    pace: Pace = DEFAULT_PACE
    at_once: AtOnce = ONE
    tolerance: float = TOLERANCE


DEFAULTS = Assumptions()


def plan(
    population: Population, ring: Ring, goal: Goal, assumptions: Assumptions = DEFAULTS
) -> Plan:
    """What to move to meet the goal. Equal facts in equal order give an equal plan.

    `ring` holds the active shards and no others. Tenants that are pinned or already moving are
    never in a plan, and draining shards receive nobody.
    """
    population.assume_mean()
    wanted = _wanted(population, ring, goal, assumptions)
    ordered = batches(population, wanted, assumptions.pace)
    return Plan(
        goal=goal,
        batches=ordered,
        before=imbalance(population, population.shard),
        after=imbalance(population, wanted),
        seconds=duration(ordered, assumptions.at_once),
        pause_ms=longest_pause(ordered),
        obstacles=tuple(population.id(at) for at in _obstacles(population)),
        population=len(population),
        unmeasured=population.unmeasured,
        learnt_from=assumptions.pace.learnt_from,
    )


def _wanted(population: Population, ring: Ring, goal: Goal, assumptions: Assumptions) -> array[int]:
    if goal is Goal.RING:
        return ring_homes(population, ring)
    if goal is Goal.DRAIN:
        return drained(population, ring)
    return bounded_load(population, assumptions.tolerance)


def _obstacles(population: Population) -> list[int]:
    """Pinned tenants where nobody is to stay."""
    return [
        at
        for at, (shard, hold) in enumerate(zip(population.shard, population.hold, strict=True))
        if hold == Hold.PINNED and not population.shards[shard].active
    ]
