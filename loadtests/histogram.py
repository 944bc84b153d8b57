"""Times counted in an HDR histogram: a thousandth of a value exact, whatever its size. Pure.

After Gil Tene's HdrHistogram with three significant digits: below 2,048 every value has a place of
its own, above that each doubling has 1,024. Places that were never hit take no room, so that one
can be kept for each operation and second. Why it is our own: docs/decisions/0042.
"""

from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

_EXACT_BITS = 11
_HALF = 1 << (_EXACT_BITS - 1)


class Histogram(BaseModel):
    """Counts by place; values are whole microseconds, negative ones count as 0."""

    model_config = ConfigDict(extra="forbid")

    counts: dict[int, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    """How many values lie in each place that has any; `top` says what a place holds."""

    largest: int = 0
    """The largest value, exactly."""

    @classmethod
    def of(cls, values: Iterable[int]) -> Self:
        """A histogram of these values."""
        made = cls()
        for value in values:
            made.record(value)
        return made

    @classmethod
    def merged(cls, histograms: Iterable["Histogram"]) -> Self:
        """One histogram of all that these counted."""
        made = cls()
        for histogram in histograms:
            made.add(histogram)
        return made

    @property
    def total(self) -> int:
        """How many values were counted."""
        return sum(self.counts.values())

    def record(self, value: int) -> None:
        """Count one value."""
        index = place(value)
        self.counts[index] = self.counts.get(index, 0) + 1
        self.largest = max(self.largest, value)

    def add(self, other: "Histogram") -> None:
        """Count all that another one counted: nothing is lost by it, as averages would lose."""
        for index, seen in other.counts.items():
            self.counts[index] = self.counts.get(index, 0) + seen
        self.largest = max(self.largest, other.largest)

    def percentile(self, part: float) -> int:
        """The value within which this part (0 to 1) of all lie; at most 0.1 % above the exact one.
        0 when nothing was counted.
        """
        return min(top(_reached(self.counts, part)), self.largest)


def place(value: int) -> int:
    """Where a value is counted."""
    shift = max(0, value.bit_length() - _EXACT_BITS) if value > 0 else 0
    return shift * _HALF + (max(value, 0) >> shift)


def top(index: int) -> int:
    """The largest value that is counted in this place."""
    shift = max(0, index // _HALF - 1)
    return ((index - shift * _HALF + 1) << shift) - 1


def _reached(counts: Mapping[int, int], part: float) -> int:
    """The first place up to which this part of all is counted."""
    ordered = sorted(counts)
    wanted = part * sum(counts.values())
    sums = accumulate(counts[index] for index in ordered)
    return next((index for index, sum_ in zip(ordered, sums, strict=True) if sum_ >= wanted), 0)
