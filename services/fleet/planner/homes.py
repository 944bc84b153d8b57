"""The goals `ring` and `drain`: where the ring wants tenants to live."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from services.fleet.planner.population import Hold, Population
from shards.ring import Ring


def ring_homes(population: Population, ring: Ring) -> array[int]:
    """Everybody who is free to go lives at home."""
    return _sent_home(population, ring, range(len(population)))


def drained(population: Population, ring: Ring) -> array[int]:
    """Those on draining shards live at home, the others where they are."""
    shards = population.shards
    leaving = (at for at, shard in enumerate(population.shard) if not shards[shard].active)
    return _sent_home(population, ring, leaving)


def _sent_home(population: Population, ring: Ring, going: Iterable[int]) -> array[int]:
    wanted = array("I", population.shard)
    for at in going:
        if population.hold[at] == Hold.FREE:
            wanted[at] = population.position[ring.home(population.id(at))]
    return wanted
