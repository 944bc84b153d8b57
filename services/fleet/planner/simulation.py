"""What the ring and the planner would make of fleets that do not exist: balance, movement, cost.

The same code plans real fleets. Tenants are drawn: their sizes and their rates follow Zipf's law,
each with ranks of its own, so that the largest is not the busiest by rule. Equal questions have
equal answers.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from math import ceil
from operator import add

from services.fleet.planner.load import TOLERANCE
from services.fleet.planner.plan import Goal
from services.fleet.planner.planning import Assumptions, plan
from services.fleet.planner.population import Columns, Population, ShardFacts
from services.fleet.planner.prediction import MIB, Span
from shards.ring import MAX_WEIGHT, Ring

__all__ = ["MAX_WEIGHT", "TOLERANCE"]

_MEAN_BYTES = 2 * MIB
_BYTES_OF_A_ROW = 500
_MEAN_REQUESTS = 0.05
_WRITES = 0.2
"""Part of all requests."""

_LEASE_SECONDS = 2.0
_REQUESTS_OF_A_ROUTER = 500.0
"""A second. How long a router trusts a placement (its setting's default), and what it serves."""


@dataclass(frozen=True, slots=True)
class Question:
    """Fleets of these numbers of shards, with so many tenants.

    `weights` are given to the shards in turn. `skew` is the exponent of Zipf's law: 0 makes all
    tenants equal, with 1 the second has half of what the first has.
    """

    clients: int
    fleets: Sequence[int]
    weights: Sequence[float] = (1.0,)
    skew: float = 0.8
    tolerance: float = TOLERANCE
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """One size of the fleet. Imbalances are the fullest shard's part against its fair share."""

    shards: int
    members: int
    """Of all shards, on the ring."""
    clients_imbalance: float
    bytes_imbalance: float
    """Where the ring puts everybody."""
    largest: float
    """The largest tenant against the fair share of a shard of weight 1: above 1 no plan helps."""
    moved: float
    """Part of all tenants that moves when one more shard joins."""
    ideal: float
    """The least that fills the newcomer: its part of all weights."""
    moved_bytes: int
    seconds: Span
    """What the planner foretells for that."""
    relief_clients: int
    relief_bytes: int
    """What the goal `load` moves in the fleet before the newcomer."""
    relieved: float
    """The imbalance of bytes after that."""
    remembered: float
    """Part of all requests whose placement a router still knows; for the rest it asks the
    directory. The number of shards is nothing to it."""


def simulate(question: Question) -> Iterator[Answer]:
    """An answer for each size of the fleet, in the order asked."""
    tenants = _drawn(question)
    known = remembered([*map(add, tenants.reads, tenants.writes)])
    for count in question.fleets:
        yield _answer(question, tenants, count, known)


def remembered(rates: Sequence[float]) -> float:
    """Part of all requests for which a router knows the tenant's placement, of tenants who ask so
    often a second.

    As many routers as the requests need share each tenant's evenly. Arrivals are independent, so
    after a question of the directory r L more come, on average, before what it said has expired: of
    each r L + 1 requests all but one are answered from memory.
    """
    whole = sum(rates)
    routers = max(1.0, ceil(whole / _REQUESTS_OF_A_ROUTER))
    asked = sum(rate / (1 + rate / routers * _LEASE_SECONDS) for rate in rates)
    return 1 - asked / whole


def doubling(first: int, last: int) -> list[int]:
    """From the first size to the last, each twice the one before."""
    sizes = [last]
    while sizes[-1] > first:
        sizes.append(max(first, (sizes[-1] + 1) // 2))
    return sizes[::-1]


def _answer(question: Question, tenants: Columns, count: int, known: float) -> Answer:
    grown = _shards(question, count + 1)
    before, after = _ring(grown[:count]), _ring(grown)
    numbers = {shard.name: at for at, shard in enumerate(grown)}
    homes = [numbers[name] for name in before.names]
    placed = array("I", (homes[at] for at in before.homes(tenants.ids)))
    assumptions = Assumptions(tolerance=question.tolerance)
    joining = plan(_population(grown, tenants, placed), after, Goal.RING, assumptions)
    relief = plan(_population(grown[:count], tenants, placed), before, Goal.LOAD, assumptions)
    weight = sum(shard.weight for shard in grown[:count])
    return Answer(
        count,
        sum(before.members.values()),
        relief.before.clients,
        relief.before.bytes,
        max(tenants.bytes) * weight / sum(tenants.bytes),
        joining.clients / question.clients,
        grown[-1].weight / (weight + grown[-1].weight),
        joining.bytes,
        joining.seconds,
        relief.clients,
        relief.bytes,
        relief.after.bytes,
        known,
    )


def _shards(question: Question, count: int) -> list[ShardFacts]:
    weights = islice(cycle(question.weights), count)
    return [ShardFacts(f"shard-{n}", weight) for n, weight in enumerate(weights, start=1)]


def _ring(shards: Sequence[ShardFacts]) -> Ring:
    return Ring({shard.name: shard.weight for shard in shards})


def _population(shards: Sequence[ShardFacts], tenants: Columns, placed: array[int]) -> Population:
    population = Population(shards)
    population.extend(
        Columns(
            tenants.ids,
            placed,
            tenants.hold,
            tenants.rows,
            tenants.bytes,
            tenants.reads,
            tenants.writes,
        )
    )
    return population


def _drawn(question: Question) -> Columns:
    """Tenants who live nowhere yet."""
    chance = random.Random(question.seed)  # noqa: S311 - a drawn lot that must come again
    count = question.clients
    ids = chance.randbytes(16 * count)
    sizes = array("q", map(int, _zipf(chance, count, question.skew, _MEAN_BYTES)))
    requests = _zipf(chance, count, question.skew, _MEAN_REQUESTS)
    return Columns(
        ids,
        array("I", bytes(4 * count)),
        bytes(count),
        array("q", (size // _BYTES_OF_A_ROW for size in sizes)),
        sizes,
        array("d", (rate * (1 - _WRITES) for rate in requests)),
        array("d", (rate * _WRITES for rate in requests)),
    )


def _zipf(chance: random.Random, count: int, skew: float, mean: float) -> array[float]:
    """Values of this mean, the one of rank k as large as k**-skew has it, in any order."""
    parts = array("d", (float(rank) ** -skew for rank in range(1, count + 1)))
    unit = mean * count / sum(parts)
    chance.shuffle(parts)
    return array("d", (part * unit for part in parts))
