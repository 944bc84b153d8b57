"""The goal `load`: bounded load, by the cheapest moves that earn their cost.

After "Consistent Hashing with Bounded Loads" (Mirrokni, Thorup, Zadimoghaddam, 2016): no shard may
have more than (1 + ε) of its fair share, here of bytes and of requests alike. Tenants are of all
sizes, so the best plan is a packing problem; this is the greedy answer. From each overfull shard
go, in the order of how much excess they take away for each byte moved, those tenants that fit into
its excess; then at most one for each kind of load that does not fit and still earns its cost. They
go to the emptiest shards. A tenant moves once.

No shard gets as full as the one it takes from was, so the fullest never gets fuller.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from services.fleet.planner.population import Hold, Population
from services.fleet.planner.prediction import MIB
from services.fleet.planner.shares import fair_parts, loads_of

TOLERANCE = 0.1
"""ε: a shard may have so much more than its fair share before anybody moves. Less would chase
what tenants do from hour to hour."""
MIN_EARNING = 0.1
"""The excess that a move must take away for what it copies, both as parts of a shard's mean: moving
a tenth of a shard to cure less than a hundredth of excess is not worth it."""
TENANT_BYTES = MIB // 16
"""What a tenant costs besides its bytes, as bytes: its fences, its part of slot and subscription.
It makes one larger tenant cheaper than a hundred tiny ones, and forbids none: a shard that is
overfull of tenants of 10 kB can still be relieved."""
_TARGETS_TRIED = 3
"""Emptiest shards of each kind: the emptiest one of all may lack room for just this tenant."""
_ROUNDS = 3
"""A shard that could not be relieved may be once others were."""


@dataclass(slots=True)
class _Kind:
    """One kind of load: what each tenant has of it, what each shard has, and its fair share."""

    amounts: Sequence[float]
    loads: list[float]
    fair: list[float]
    mean: float
    bound: float

    def level(self, shard: int, more: float = 0.0) -> float:
        """What the shard has, with so much more, as a multiple of its fair share."""
        return (self.loads[shard] + more) / self.fair[shard] if self.mean else 0.0

    def excess(self, shard: int, more: float = 0.0) -> float:
        """What the shard has, with so much more, above its bound; as a part of the mean."""
        if not self.mean:
            return 0.0
        return max(0.0, self.loads[shard] + more - self.bound * self.fair[shard]) / self.mean


class _Emptiest:
    """Shards by some measure of fullness, the emptiest first."""

    def __init__(self, shards: Sequence[int], measure: Callable[[int], float]) -> None:
        self._measure = measure
        self._heap = [(measure(shard), shard) for shard in shards]
        heapq.heapify(self._heap)

    def changed(self, shard: int) -> None:
        """Note that the shard's measure is another one. The old entry goes when it comes up."""
        heapq.heappush(self._heap, (self._measure(shard), shard))

    def first(self, count: int) -> list[int]:
        """So many of the emptiest."""
        found: dict[int, float] = {}
        while self._heap and len(found) < count:
            measured, shard = heapq.heappop(self._heap)
            if shard not in found and measured == self._measure(shard):
                found[shard] = measured
        for shard, measured in found.items():
            heapq.heappush(self._heap, (measured, shard))
        return list(found)


class _Balancing:
    """The state of the greedy search. Only active shards take part."""

    def __init__(self, population: Population, tolerance: float) -> None:
        self.population = population
        self.wanted = array("I", population.shard)
        self.active = [at for at, shard in enumerate(population.shards) if shard.active]
        self.kinds = [
            _kind(population, amounts, 1 + tolerance)
            for amounts in (population.bytes, population.requests)
        ]
        # A cost per byte needs some size: where nobody has any, every tenant costs the same.
        self.mean_bytes = max(self.kinds[0].mean, TENANT_BYTES)
        measures = (self.level, *(kind.level for kind in self.kinds))
        self.emptiest = [_Emptiest(self.active, measure) for measure in measures]

    def run(self) -> array[int]:
        for _ in range(_ROUNDS):
            overfull = [
                shard for shard in self.active if any(kind.excess(shard) for kind in self.kinds)
            ]
            free = self._free_of(overfull)
            for shard in sorted(overfull, key=lambda one: (-self.level(one), one)):
                self._relieve(shard, free[shard])
        return self.wanted

    def level(self, shard: int) -> float:
        return max(kind.level(shard) for kind in self.kinds)

    def _free_of(self, shards: Sequence[int]) -> dict[int, list[int]]:
        free: dict[int, list[int]] = {shard: [] for shard in shards}
        for at, (shard, hold) in enumerate(
            zip(self.population.shard, self.population.hold, strict=True)
        ):
            if hold == Hold.FREE and shard == self.wanted[at] and shard in free:
                free[shard].append(at)
        return free

    def _relieve(self, source: int, tenants: Sequence[int]) -> None:
        """Move the best for its cost again and again, while it earns that.

        What a tenant takes away only becomes less as the excess shrinks. So the best is found
        without looking at all: it is the first of the queue whose old value still holds.
        """
        queue = [(-self._worth(source, at), at) for at in tenants]
        heapq.heapify(queue)
        while queue and -queue[0][0] >= MIN_EARNING:
            _, at = heapq.heappop(queue)
            worth = self._worth(source, at)
            if queue and -worth > queue[0][0]:
                heapq.heappush(queue, (-worth, at))
            elif worth >= MIN_EARNING:
                self._move(source, at)

    def _worth(self, source: int, at: int) -> float:
        return self._removed(source, at) / self._cost(at)

    def _removed(self, source: int, at: int) -> float:
        """The excess that goes with this tenant."""
        return sum(
            kind.excess(source) - kind.excess(source, -kind.amounts[at]) for kind in self.kinds
        )

    def _cost(self, at: int) -> float:
        return (self.population.bytes[at] + TENANT_BYTES) / self.mean_bytes

    def _move(self, source: int, at: int) -> None:
        """Move the tenant to where it does least harm, if that is worth it."""
        removed, level = self._removed(source, at), self.level(source)
        best = min(
            (self._harm(target, at) for target in self._targets(source)), default=(inf, inf, 0)
        )
        added, filled, target = best
        if removed - added >= MIN_EARNING * self._cost(at) and filled < level:
            self._settle(source, target, at)

    def _harm(self, target: int, at: int) -> tuple[float, float, int]:
        """The excess that the tenant would add there, and how full the shard would be."""
        added = sum(
            kind.excess(target, kind.amounts[at]) - kind.excess(target) for kind in self.kinds
        )
        return added, max(kind.level(target, kind.amounts[at]) for kind in self.kinds), target

    def _targets(self, source: int) -> set[int]:
        found = {shard for some in self.emptiest for shard in some.first(_TARGETS_TRIED)}
        return found - {source}

    def _settle(self, source: int, target: int, at: int) -> None:
        for kind in self.kinds:
            kind.loads[source] -= kind.amounts[at]
            kind.loads[target] += kind.amounts[at]
        self.wanted[at] = target
        for some in self.emptiest:
            some.changed(source)
            some.changed(target)


def bounded_load(population: Population, tolerance: float = TOLERANCE) -> array[int]:
    """The shard that each tenant should live on. Draining shards take no part: what is on them
    neither counts nor moves."""
    if not any(shard.active for shard in population.shards):
        return array("I", population.shard)
    return _Balancing(population, tolerance).run()


def _kind(population: Population, amounts: Sequence[float], bound: float) -> _Kind:
    loads = loads_of(population, population.shard, amounts)
    total = sum(loads[at] for at, shard in enumerate(population.shards) if shard.active)
    active = sum(shard.active for shard in population.shards)
    fair = [part * total for part in fair_parts(population.shards)]
    return _Kind(amounts, loads, fair, total / active, bound)
