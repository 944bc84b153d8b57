"""Rates and curves out of what is seen again and again. Pure.

Each process remembers what it has seen itself: rates of its own connections, and the lag of a
rebalance for as long as somebody has looked at it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.fleet.fleet_standing import FleetStanding, PoolUse
from services.fleet.rebalance_standing import Standing

_LEAST_SECONDS: Final = 0.9
_MOST_SAMPLES: Final = 600


@dataclass(frozen=True, slots=True)
class PoolRate:
    """What was asked of a node's connections of late; `wait_ms`: for one, on average."""

    requests: float
    refused: float
    wait_ms: float


class PoolMeter:
    """Rates of each node's connections between two looks."""

    def __init__(self) -> None:
        self._before: FleetStanding | None = None
        self._rates: dict[str, PoolRate] = {}

    def rates(self, now: FleetStanding) -> Mapping[str, PoolRate]:
        """By node; those of the last second at least, and none at the first look."""
        before = self._before
        if before is None:
            self._before = now
        elif (seconds := now.at - before.at) >= _LEAST_SECONDS:
            known = _pools(before)
            self._rates = {
                name: _rate(known[name], pool, seconds)
                for name, pool in _pools(now).items()
                if name in known
            }
            self._before = now
        return self._rates


@dataclass(frozen=True, slots=True)
class LagSample:
    """How a rebalance was: `at` in seconds of this process's clock."""

    at: float
    lag_bytes: int
    bytes_per_second: float


class LagTrack:
    """The lag of the rebalance that was looked at last."""

    def __init__(self) -> None:
        self._rebalance: UUID | None = None
        self._samples: deque[LagSample] = deque(maxlen=_MOST_SAMPLES)

    def seen(self, at: float, standing: Standing) -> list[LagSample]:
        """Add a look; answers all looks at this rebalance."""
        whole = standing.overview
        if standing.rebalance.id != self._rebalance:
            self._rebalance = standing.rebalance.id
            self._samples.clear()
        if standing.rebalance.living and whole.lag_bytes is not None:
            sample = LagSample(at, whole.lag_bytes, whole.bytes_per_second or 0.0)
            self._samples.append(sample)
        return list(self._samples)


def _pools(standing: FleetStanding) -> dict[str, PoolUse]:
    return {node.name: node.pool for cluster in standing.clusters for node in cluster.nodes}


def _rate(before: PoolUse, now: PoolUse, seconds: float) -> PoolRate:
    requests = max(0, now.requests - before.requests)
    refused = max(0, now.refused - before.refused)
    waited = max(0, now.waited_ms - before.waited_ms)
    return PoolRate(requests / seconds, refused / seconds, waited / requests if requests else 0.0)
