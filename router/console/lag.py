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
    """How a rebalance was: `at` in seconds of this process's clock. None: not known; nothing is
    behind before it was copied, and nothing is copied any more while all catch up."""

    at: float
    lag_bytes: int | None
    bytes_per_second: float | None


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
        known = whole.lag_bytes is not None or whole.bytes_per_second is not None
        if standing.rebalance.living and known:
            self._samples.append(LagSample(at, whole.lag_bytes, whole.bytes_per_second))
        return list(self._samples)
