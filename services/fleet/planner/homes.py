"""The goals `ring` and `drain`: where the ring wants tenants to live."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from services.fleet.planner.population import Hold, Population
from shards.ring import Ring


def ring_homes(population: Population, ring: Ring) -> array[int]:
    """Everybody who is free to go lives at home."""
    wanted = array("I", population.shard)
    homes = _homes(population, ring, population.ids)
    for at, (hold, home) in enumerate(zip(population.hold, homes, strict=True)):
        if hold == Hold.FREE:
            wanted[at] = home
    return wanted


def drained(population: Population, ring: Ring) -> array[int]:
    """Those on draining shards live at home, the others where they are."""
    active = [shard.active for shard in population.shards]
    leaving = [
        at
        for at, (shard, hold) in enumerate(zip(population.shard, population.hold, strict=True))
        if not active[shard] and hold == Hold.FREE
    ]
    wanted = array("I", population.shard)
    ids = b"".join(population.id(at).bytes for at in leaving)
    for at, home in zip(leaving, _homes(population, ring, ids), strict=True):
        wanted[at] = home
    return wanted


def _homes(population: Population, ring: Ring, ids: bytes) -> Iterator[int]:
    """The ring's numbers of shards as those of the population."""
    numbers = [population.position[name] for name in ring.names]
    return (numbers[owner] for owner in ring.homes(ids))
