"""How old is what a replica shows? A track of the primary's places by time answers. Pure.

`now() - pg_last_xact_replay_timestamp()` grows on a replica that misses nothing when the primary is
idle. A sample says: whatever was acknowledged before `asked_at` lies at or before `lsn`. So a
replica that has replayed `lsn` shows everything that was acknowledged before `asked_at`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

_MOST_SAMPLES = 256


@dataclass(frozen=True, slots=True)
class Sample:
    """Where the primary was: asked at `asked_at`, in seconds of the process's clock."""

    asked_at: float
    lsn: int


@dataclass(slots=True)
class Track:
    """The primary's places of late, on one timeline. Bounded: older ones lie farther apart."""

    timeline: int = 0
    _samples: list[Sample] = field(default_factory=list)

    def record(self, timeline: int, sample: Sample) -> None:
        """Add what the primary said; another timeline begins a new track."""
        if timeline != self.timeline:
            self.timeline, self._samples = timeline, []
        if self._samples and sample.lsn < self._samples[-1].lsn:
            return  # an answer that was overtaken
        if self._samples and sample.lsn == self._samples[-1].lsn:
            # Nothing new was written: what was complete up to here still is.
            self._samples[-1] = sample
            return
        self._samples.append(sample)
        if len(self._samples) > _MOST_SAMPLES:
            older = len(self._samples) // 2
            self._samples = self._samples[:older:2] + self._samples[older:]

    def shown_by(self, timeline: int | None, lsn: int) -> Sample | None:
        """The newest sample whose writes a server shows that has replayed so far; None if unknown.

        A server on another timeline cannot be compared.
        """
        if timeline != self.timeline:
            return None
        behind = bisect_right(self._samples, lsn, key=lambda sample: sample.lsn)
        return self._samples[behind - 1] if behind else None
