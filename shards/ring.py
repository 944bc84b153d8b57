"""The ring: which shard a client should live on, from the set of shards alone.

Consistent hashing (Karger et al., "Consistent Hashing and Random Trees", STOC 1997) with the
ketama points of the `hashring` library: each member of the ring gets 120 points on a circle of
2**32, three from each of 40 MD5 digests, and a key belongs to the first point after its own.

A shard enters as several equal members (`shard-1/0` … `shard-1/15`; more when it is heavier)
instead of one member with a weight: hashring turns a weight into a share of all points, so one
changed weight re-maps keys between shards that did not change. Equal members keep their points
whatever else is on the ring, so keys move to a newcomer or away from a leaver, never sideways.

The ring only proposes. Where a client does live is what the directory says.
"""

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from uuid import UUID

from hashring import HashRing

MEMBERS_PER_WEIGHT = 16
"""Members of a shard of weight 1. With 16 the spread between equal shards is about 3 %."""

MAX_WEIGHT = 64.0
"""Heaviest shard allowed: 1,024 members, about 0.3 s to build."""

_CIRCLE = 2**32


class Ring:
    """An immutable ring over shards with weights; it depends on names and weights alone.

    The order of the mapping and the process's hash seed do not matter. A look-up costs one MD5
    and a binary search, about 5 µs, and grows with log2 of the points. The first ring of a set of
    shards costs about 5 ms of CPU for each unit of weight; the last few sets are remembered.

    Raises ValueError for no shards, and for a weight outside (0, MAX_WEIGHT].
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        if not weights:
            raise ValueError("a ring needs at least one shard")
        self._members = tuple(sorted((name, member_count(w)) for name, w in weights.items()))
        self._circle = _circle(self._members)

    @property
    def members(self) -> dict[str, int]:
        """How many equal members each shard has on the ring."""
        return dict(self._members)

    def home(self, client_id: UUID) -> str:
        """The name of the shard that the ring proposes for this client."""
        member: str = self._circle.get_node(str(client_id))
        return _shard_of(member)

    def counts(self, client_ids: Iterable[UUID]) -> dict[str, int]:
        """How many of these clients each shard would get; shards without any count 0."""
        counts = dict.fromkeys(self.members, 0)
        for client_id in client_ids:
            counts[self.home(client_id)] += 1
        return counts

    def shares(self) -> dict[str, float]:
        """Each shard's exact part of the circle; they sum to 1. What endless clients would get."""
        points = sorted(self._circle.ring)
        shares = dict.fromkeys(self.members, 0.0)
        # A point owns the arc that ends at it; the first one also owns the arc past the last.
        for before, point in zip([points[-1] - _CIRCLE, *points], points, strict=False):
            shares[_shard_of(self._circle.ring[point])] += (point - before) / _CIRCLE
        return shares


def member_count(weight: float) -> int:
    """Equal members of a shard of this weight, at least 1. ValueError outside (0, MAX_WEIGHT]."""
    if not 0 < weight <= MAX_WEIGHT:  # refuses NaN too
        raise ValueError(f"a shard's weight is above 0 and at most {MAX_WEIGHT:g}, not {weight}")
    return max(1, math.floor(MEMBERS_PER_WEIGHT * weight + 0.5))


def _shard_of(member: str) -> str:
    return member.rpartition("/")[0]


@lru_cache(maxsize=16)
def _circle(members: tuple[tuple[str, int], ...]) -> HashRing:
    """The library's ring. Its argument is sorted: where two points collide the last member wins."""
    return HashRing([f"{shard}/{i}" for shard, count in members for i in range(count)])
