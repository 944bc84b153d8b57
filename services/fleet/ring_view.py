"""The ring beside today's placement, and what one more shard would move. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.fleet.fleet_standing import ClusterStanding
from services.fleet.statistics import ShardStatistics
from shards.ring import Ring


@dataclass(frozen=True, slots=True)
class RingShare:
    """A shard's part of the circle beside its part of the clients and of their bytes; each from 0
    to 1. Only active shards are on the ring."""

    shard: str
    status: str
    weight: float
    share: float
    clients: int
    of_clients: float
    bytes: int
    of_bytes: float


@dataclass(frozen=True, slots=True)
class OneMore:
    """What would go to a further shard of weight 1: its part of the circle, what each of the
    others gives of its own, and about how many clients and bytes that is."""

    name: str
    share: float
    given: Mapping[str, float]
    clients: int
    bytes: int


def ring_shares(
    shards: Sequence[ClusterStanding], statistics: Mapping[str, ShardStatistics]
) -> list[RingShare]:
    """Each shard, in the order given."""
    shares = _shares({one.name: one.weight for one in shards if one.status == "active"})
    clients = sum(one.clients for one in statistics.values()) or 1
    bytes_ = sum(one.bytes for one in statistics.values()) or 1
    found = []
    for one in shards:
        own = statistics.get(one.name, ShardStatistics(one.name, 0, 0, 0, 0))
        found.append(
            RingShare(
                *(one.name, one.status, one.weight, shares.get(one.name, 0.0)),
                *(own.clients, own.clients / clients, own.bytes, own.bytes / bytes_),
            )
        )
    return found


def one_more(shares: Sequence[RingShare]) -> OneMore | None:
    """What a further shard would take from the active ones; None while there is none.

    Clients and bytes are what the ring would give it in a fleet where everybody is at home.
    """
    before = {one.shard: one.weight for one in shares if one.status == "active"}
    if not before:
        return None
    name = f"shard-{max(_number(one.shard) for one in shares) + 1}"
    after = Ring({**before, name: 1.0}).shares()
    given = {one.shard: one.share - after[one.shard] for one in shares if one.shard in before}
    part = after[name]
    clients, bytes_ = (sum(getattr(one, what) for one in shares) for what in ("clients", "bytes"))
    return OneMore(name, part, given, round(part * clients), round(part * bytes_))


def _shares(weights: Mapping[str, float]) -> dict[str, float]:
    return Ring(weights).shares() if weights else {}


def _number(shard: str) -> int:
    digits = shard.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0
