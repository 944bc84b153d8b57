"""Times counted in a histogram of high dynamic range: exact to a tenth of a percent, mergeable.

The form is that of Gil Tene's HdrHistogram (http://hdrhistogram.org): below 2048 each microsecond
is a bucket; above, each doubling is cut into 1024 buckets of equal width, so a bucket is never
wider than a 1024th of what is in it. Only buckets that hold something are stored, each under its
lowest value: a run's times take a few kilobytes, and a second's a few hundred bytes. That is why
this is not the PyPI package of that name (decision 43): its histograms are 180 kB each, and it
needs setuptools to run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Self

from pydantic import NonNegativeInt, PositiveInt

_EXACT_BITS = 11
"""Values of that many bits are their own bucket: three significant digits."""


def lowest_of(value: int) -> int:
    """The lowest value of the bucket that this one falls into."""
    shift = max(value.bit_length() - _EXACT_BITS, 0)
    return value >> shift << shift


def highest_of(lowest: int) -> int:
    """The highest value of the bucket that begins here."""
    return lowest + (1 << max(lowest.bit_length() - _EXACT_BITS, 0)) - 1


@dataclass(slots=True)
class Histogram:
    """Durations in microseconds. Not for several threads at once."""

    counts: dict[NonNegativeInt, PositiveInt] = field(default_factory=dict)
    """How many, by the lowest value of their bucket."""
    total: NonNegativeInt = 0
    """The exact sum of all values."""
    highest: NonNegativeInt = 0
    """The highest value, exactly."""

    def record(self, microseconds: int) -> None:
        """Count one duration; what a clock says below zero counts as zero."""
        value = max(microseconds, 0)
        bucket = lowest_of(value)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.total += value
        self.highest = max(self.highest, value)

    def add(self, other: Self) -> None:
        """Count everything that the other one counted, too."""
        for bucket, seen in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + seen
        self.total += other.total
        self.highest = max(self.highest, other.highest)

    @property
    def count(self) -> int:
        """How many durations were recorded."""
        return sum(self.counts.values())

    @property
    def mean(self) -> float | None:
        """The exact mean, None without durations."""
        count = self.count
        return self.total / count if count else None

    def percentile(self, part: float) -> int | None:
        """The duration within which this part (0 to 1) of all lay, None without durations."""
        return self.percentiles((part,))[0]

    def percentiles(self, parts: Sequence[float]) -> list[int | None]:
        """Several percentiles by the nearest rank, in one pass over the buckets.

        Told is the end of the bucket where the rank lies: at most 1/1024 too high, never too low.
        """
        buckets = sorted(self.counts)
        reached = list(accumulate(self.counts[bucket] for bucket in buckets))
        found: dict[float, int | None] = dict.fromkeys(parts)
        place = 0
        for part in sorted(found) if reached else ():
            while reached[place] < part * reached[-1]:
                place += 1
            found[part] = min(highest_of(buckets[place]), self.highest)
        return [found[part] for part in parts]


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """One histogram of all that these counted."""
    whole = Histogram()
    for histogram in histograms:
        whole.add(histogram)
    return whole
