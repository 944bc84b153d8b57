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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
_TARGETS_TRIED = 4
"""The emptiest shard may have no room for a tenant's bytes, and one that is nearly so the room."""


@dataclass(slots=True)
class _Kind:
    """One kind of load: what each tenant has of it, what each shard has, and its fair share."""

    amounts: Sequence[float]
    loads: list[float]
    fair: list[float]
    mean: float
    bound: float

    def level(self, shard: int) -> float:
        return self.loads[shard] / self.fair[shard] if self.mean else 0.0

    def level_with(self, shard: int, at: int) -> float:
        return (self.loads[shard] + self.amounts[at]) / self.fair[shard] if self.mean else 0.0

    def excess(self, shard: int, more: float = 0.0) -> float:
        """What the shard has, with so much more, above its bound; as a part of the mean."""
        if not self.mean:
            return 0.0
        return max(0.0, self.loads[shard] + more - self.bound * self.fair[shard]) / self.mean


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
        self._emptiest = [(self.level(shard), shard) for shard in self.active]
        heapq.heapify(self._emptiest)

    def run(self) -> array[int]:
        overfull = [shard for shard in self.active if self.over(shard)]
        free = self._free_of(overfull)
        for shard in sorted(overfull, key=lambda one: (-self.level(one), one)):
            self._relieve(shard, free[shard])
        return self.wanted

    def level(self, shard: int) -> float:
        return max(kind.level(shard) for kind in self.kinds)

    def over(self, shard: int) -> list[_Kind]:
        return [kind for kind in self.kinds if kind.excess(shard) > 0]

    def _free_of(self, shards: Sequence[int]) -> dict[int, list[int]]:
        free: dict[int, list[int]] = {shard: [] for shard in shards}
        for at, (shard, hold) in enumerate(
            zip(self.population.shard, self.population.hold, strict=True)
        ):
            if hold == Hold.FREE and shard in free:
                free[shard].append(at)
        return free

    def _relieve(self, source: int, tenants: list[int]) -> None:
        while self._move_fitting(source, tenants):
            pass
        for _ in self.kinds:
            if self.over(source):
                self._move_one(source, tenants)

    def _move_fitting(self, source: int, tenants: list[int]) -> bool:
        """Move those that fit into the excess; True when now less kinds are over, so that others
        are the cheapest."""
        over = self.over(source)
        if not over:
            return False
        for at in self._cheapest(source, over, tenants):
            if all(kind.amounts[at] / kind.mean <= kind.excess(source) for kind in over):
                self._move(source, at)
                if len(self.over(source)) < len(over):
                    return True
        return False

    def _move_one(self, source: int, tenants: list[int]) -> None:
        """Move the one that takes most for its cost, though it takes more than the excess."""
        over = self.over(source)
        for at in self._cheapest(source, over, tenants):
            if self._removed(source, over, at) < MIN_EARNING * self._cost(at):
                return
            if self._move(source, at):
                return

    def _cheapest(self, source: int, over: Sequence[_Kind], tenants: Sequence[int]) -> list[int]:
        staying = (at for at in tenants if self.wanted[at] == source)
        return sorted(
            staying, key=lambda at: self._removed(source, over, at) / self._cost(at), reverse=True
        )

    def _removed(self, source: int, kinds: Sequence[_Kind], at: int) -> float:
        """The excess that goes with this tenant."""
        return sum(min(kind.excess(source), kind.amounts[at] / kind.mean) for kind in kinds)

    def _cost(self, at: int) -> float:
        return (self.population.bytes[at] + TENANT_BYTES) / self.mean_bytes

    def _move(self, source: int, at: int) -> bool:
        """Move the tenant to the first of the emptiest shards where that is worth it."""
        removed = self._removed(source, self.over(source), at)
        for target in self._targets(source):
            added = sum(
                kind.excess(target, kind.amounts[at]) - kind.excess(target) for kind in self.kinds
            )
            earned = removed - added >= MIN_EARNING * self._cost(at)
            full = max(kind.level_with(target, at) for kind in self.kinds)
            if earned and full < self.level(source):
                self._settle(source, target, at)
                return True
        return False

    def _settle(self, source: int, target: int, at: int) -> None:
        for kind in self.kinds:
            kind.loads[source] -= kind.amounts[at]
            kind.loads[target] += kind.amounts[at]
        self.wanted[at] = target
        for shard in (source, target):
            heapq.heappush(self._emptiest, (self.level(shard), shard))

    def _targets(self, source: int) -> list[int]:
        """The emptiest shards but the source. Entries of the heap are old when a newer one has
        another level; they are dropped when they come up."""
        found = list(self._current(source))
        for entry in found:
            heapq.heappush(self._emptiest, entry)
        return [shard for _, shard in found if shard != source]

    def _current(self, source: int) -> Iterator[tuple[float, int]]:
        seen: set[int] = set()
        while self._emptiest and len(seen - {source}) < _TARGETS_TRIED:
            level, shard = heapq.heappop(self._emptiest)
            if shard not in seen and level == self.level(shard):
                seen.add(shard)
                yield level, shard


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
