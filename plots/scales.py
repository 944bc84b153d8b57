"""From values to places along an axis, and the values that are marked on it. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

Formatter = Callable[[float], str]

_STEPS = (1.0, 2.0, 5.0)
_ROUNDING = 1e-9  # logarithms of whole powers are seldom whole


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


class Scale(Protocol):
    """An axis."""

    def at(self, value: float) -> float:
        """The place of a value."""

    def marks(self) -> list[float]:
        """Values that are marked."""


@dataclass(frozen=True, slots=True)
class Linear:
    """Equal differences are equal distances; all in the middle when there is one value."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The place of a value."""
        if self.low == self.high:
            return (self.start + self.end) / 2
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)

    def marks(self) -> list[float]:
        """Both ends, and three between them."""
        return [self.low + (self.high - self.low) * part / 4 for part in range(5)]


@dataclass(frozen=True, slots=True)
class Logarithmic:
    """Equal ratios are equal distances; there is no place for what is not above 0."""

    low: float
    high: float
    start: float
    end: float
    base: int = 10

    def at(self, value: float) -> float:
        """The place of a value."""
        if self.low == self.high:
            return (self.start + self.end) / 2
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + (self.end - self.start) * part

    def marks(self) -> list[float]:
        """Powers of the base, so many that they can be told apart."""
        first = math.ceil(math.log(self.low, self.base) - _ROUNDING)
        last = math.floor(math.log(self.high, self.base) + _ROUNDING)
        powers = [float(self.base) ** power for power in range(first, last + 1)]
        return powers[:: max(1, len(powers) // 5)]


def ticks(scale: Scale, values: Iterable[float], label: Formatter) -> tuple[Tick, ...]:
    """These values, where they are and as they are written."""
    return tuple(Tick(round(scale.at(value), 1), label(value)) for value in values)


def path(places: Iterable[tuple[float, float]]) -> str:
    """Places as SVG has them."""
    return " ".join(f"{across:.1f},{down:.1f}" for across, down in places)


def even_marks(high: float, most: int = 6) -> list[float]:
    """Round numbers from 0 to what is not below the highest: equal steps of 1, 2 or 5 times a power
    of ten, `most` of them at most."""
    if high <= 0:
        return [0.0, 1.0]
    rough = high / most
    power = 10.0 ** math.floor(math.log10(rough) + _ROUNDING)
    step = next(s * power for s in (*_STEPS, 10.0) if s * power * most >= high * (1 - _ROUNDING))
    return [step * number for number in range(math.ceil(high / step - _ROUNDING) + 1)]


def decimal_marks(low: float, high: float, fewest: int = 3, most: int = 9) -> list[float]:
    """Round numbers for a logarithmic axis, the first not above the lowest, the last not below the
    highest: 1, 2 and 5 of each power of ten, or these alone when they are many; close values get an
    even division."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    grid = [step * 10.0**power for power in range(first, last + 1) for step in _STEPS]
    below = max((one for one in grid if one <= low), default=grid[0])
    above = min((one for one in grid if one >= high), default=grid[-1])
    found = [one for one in grid if below <= one <= above]
    if len(found) > most:
        return [10.0**power for power in range(first, last + 1)]
    if len(found) >= fewest or below == above:
        return found
    return [below + (above - below) * part / 4 for part in range(5)]
