"""The lag of a rebalance, for as long as somebody has looked at it in this process. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.fleet.rebalance_standing import Standing

_MOST_SAMPLES: Final = 600


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
