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

from __future__ import annotations

import hashlib
import math
from array import array
from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from uuid import UUID

from hashring import HashRing

MEMBERS_PER_WEIGHT = 16
"""Members of a shard of weight 1. With 16 the spread between equal shards is about 3 %."""

MAX_WEIGHT = 64.0
"""Heaviest shard allowed: 1,024 members, about 0.3 s to build."""

_CIRCLE = 2**32
_BEYOND = _CIRCLE << 32
_ID_DIGITS = 32


class Ring:
    """An immutable ring over shards with weights; it depends on names and weights alone.

    The order of the mapping and the process's hash seed do not matter. A look-up costs one MD5
    and a binary search, a few µs, and grows with log2 of the points. A shard's points cost about
    5 ms of CPU for each unit of weight, once in a process; putting a thousand shards together
    another second, and the last few sets are remembered.

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

    @property
    def names(self) -> tuple[str, ...]:
        """The shards in the order in which `homes` numbers them."""
        return tuple(name for name, _ in self._members)

    def home(self, client_id: UUID) -> str:
        """The name of the shard that the ring proposes for this client."""
        return self._members[self._circle.owner(str(client_id))][0]

    def homes(self, ids: bytes) -> array[int]:
        """What `home` says of each of many ids, given as 16 bytes one behind the other: places in
        `names`. About a third of the time of as many look-ups."""
        owner = self._circle.owner
        return array("I", [owner(text) for text in _texts(ids.hex())])

    def counts(self, client_ids: Iterable[UUID]) -> dict[str, int]:
        """How many of these clients each shard would get; shards without any count 0."""
        counts = dict.fromkeys(self.members, 0)
        for client_id in client_ids:
            counts[self.home(client_id)] += 1
        return counts

    def shares(self) -> dict[str, float]:
        """Each shard's exact part of the circle; they sum to 1. What endless clients would get."""
        points, owners = self._circle.points, self._circle.owners
        shares = [0.0] * len(self._members)
        # A point owns the arc that ends at it; the first one also owns the arc past the last.
        before = points[-1] - _CIRCLE
        for point, owner in zip(points, owners, strict=True):
            shares[owner] += (point - before) / _CIRCLE
            before = point
        return dict(zip(self.names, shares, strict=True))


@dataclass(frozen=True, slots=True)
class _Circle:
    """All points in order, each with the shard it belongs to: 8 bytes a point, where the library's
    own dictionary takes 90."""

    points: array[int]
    owners: array[int]

    def owner(self, key: str) -> int:
        """Where the library would look for this key: behind the first 4 bytes of its MD5."""
        digest = hashlib.md5(key.encode(), usedforsecurity=False).digest()
        at = bisect(self.points, int.from_bytes(digest[:4], "little"))
        return self.owners[at if at < len(self.points) else 0]


def member_count(weight: float) -> int:
    """Equal members of a shard of this weight, at least 1. ValueError outside (0, MAX_WEIGHT]."""
    if not 0 < weight <= MAX_WEIGHT:  # refuses NaN too
        raise ValueError(f"a shard's weight is above 0 and at most {MAX_WEIGHT:g}, not {weight}")
    return max(1, math.floor(MEMBERS_PER_WEIGHT * weight + 0.5))


def _texts(digits: str) -> Iterator[str]:
    """Ids as they are written, out of their hexadecimal digits one behind the other."""
    for at in range(0, len(digits), _ID_DIGITS):
        one = digits[at : at + _ID_DIGITS]
        yield f"{one[:8]}-{one[8:12]}-{one[12:16]}-{one[16:20]}-{one[20:]}"


@lru_cache(maxsize=4096)
def _points(shard: str, count: int) -> array[int]:
    """The library's points of one shard's members. A ring of equal members gives each of them the
    same 120 points whoever else is on it."""
    return array("I", sorted(HashRing([f"{shard}/{i}" for i in range(count)]).ring))


@lru_cache(maxsize=16)
def _circle(members: tuple[tuple[str, int], ...]) -> _Circle:
    """The library's ring of all members. They are sorted: where points collide the last one wins,
    as it would there."""
    # Each shard's points are in order already, and merging such runs is what the sort does best.
    marked = sorted(
        point << 32 | at
        for at, (shard, count) in enumerate(members)
        for point in _points(shard, count)
    )
    kept = [one for one, after in pairwise([*marked, _BEYOND]) if one >> 32 != after >> 32]
    return _Circle(
        array("I", [one >> 32 for one in kept]), array("I", [one & 0xFFFFFFFF for one in kept])
    )
