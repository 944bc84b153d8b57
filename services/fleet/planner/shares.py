"""Fair shares of shards, and how far from them a placement is."""

from __future__ import annotations

from collections.abc import Sequence

from services.fleet.planner.plan import Imbalance
from services.fleet.planner.population import Population, ShardFacts


def fair_parts(shards: Sequence[ShardFacts]) -> list[float]:
    """Each shard's part of everything by its weight; draining ones have none."""
    total = sum(shard.weight for shard in shards if shard.active)
    return [shard.weight / total if shard.active else 0.0 for shard in shards]


def loads_of(
    population: Population, placement: Sequence[int], amounts: Sequence[float]
) -> list[float]:
    """What each shard has when tenants live as `placement` says."""
    loads = [0.0] * len(population.shards)
    for shard, amount in zip(placement, amounts, strict=True):
        loads[shard] += amount
    return loads


def imbalance(population: Population, placement: Sequence[int]) -> Imbalance:
    """How uneven the active shards are when tenants live as `placement` says."""
    parts = fair_parts(population.shards)
    ones = [1] * len(population)
    return Imbalance(
        *(
            _above(loads_of(population, placement, amounts), parts)
            for amounts in (ones, population.bytes, population.requests)
        )
    )


def _above(loads: Sequence[float], parts: Sequence[float]) -> float:
    total = sum(load for load, part in zip(loads, parts, strict=True) if part)
    if not total:
        return 1.0
    # Divided one after the other: a part of next to nothing would be nothing.
    return max(load / total / part for load, part in zip(loads, parts, strict=True) if part)
