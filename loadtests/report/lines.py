"""Sampled values into the lines of plots, thinned to what an eye can tell apart. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from loadtests.runs.moments import Series, Value

MOST_POINTS: Final = 120
"""Points of a line; a longer run's are of several seconds each."""
MOST_LINES: Final = 8
"""Lines that are told apart by their colours; the least of more are one line together."""

Together = Callable[[Sequence[float]], float]
Point = tuple[float, float | None]
"""A place on the x axis and the value there; None where there was nothing to measure."""


@dataclass(frozen=True, slots=True)
class Line:
    """A named line. `style` is a word of the template's: `plain`, `goal` or `baseline`."""

    name: str
    points: tuple[Point, ...]
    style: str = "plain"

    @property
    def values(self) -> list[float]:
        """What there is to see of it."""
        return [value for _, value in self.points if value is not None]


def mean(values: Sequence[float]) -> float:
    """Of rates and amounts."""
    return sum(values) / len(values)


@dataclass(frozen=True, slots=True)
class Sampled:
    """A run's values, by series and label, in equal spans of time from its first second on."""

    seconds: int
    span: int
    _values: Mapping[tuple[Series, str], Mapping[int, float]]

    @classmethod
    def of(cls, values: Iterable[Value], lasted: float) -> "Sampled":
        """Of a run that lasted so many seconds. Its whole seconds alone: a part of one would look
        like a fall."""
        seconds = max(1, int(lasted))
        by_series: dict[tuple[Series, str], dict[int, float]] = defaultdict(dict)
        for second, series, label, value in values:
            if 0 <= second < seconds:
                by_series[series, label][second] = value
        return cls(seconds, ceil(seconds / MOST_POINTS), by_series)

    def labels(self, series: Series) -> list[str]:
        """The labels that this series has."""
        return sorted(label for known, label in self._values if known == series)

    def each(self, series: Series, label: str) -> Mapping[int, float]:
        """What was sampled, second by second."""
        return self._values.get((series, label), {})

    def line(
        self, series: Series, label: str, together: Together, empty: float | None = None
    ) -> Line | None:
        """One line; None when nothing of it was sampled. `empty`: what a second without a value
        means, None for nothing measured."""
        found = self._values.get((series, label))
        if found is None:
            return None
        return Line(label, tuple(self._points(found, together, empty)))

    def lines(self, series: Series, together: Together, factor: float = 1) -> list[Line]:
        """A line for each label, the greatest first, each value times the factor."""
        every = (self.line(series, label, together) for label in self.labels(series))
        lines = [_times(line, factor) for line in every if line is not None]
        return _fewer(sorted(lines, key=lambda line: -max(line.values, default=0)), together)

    def _points(
        self, found: Mapping[int, float], together: Together, empty: float | None
    ) -> Iterable[Point]:
        for start in range(0, self.seconds, self.span):
            span = range(start, min(start + self.span, self.seconds))
            if empty is None:
                values = [found[second] for second in span if second in found]
            else:
                values = [found.get(second, empty) for second in span]
            yield float(start), together(values) if values else None


def _times(line: Line, factor: float) -> Line:
    points = tuple((x, None if value is None else value * factor) for x, value in line.points)
    return Line(line.name, points, line.style)


def _fewer(lines: list[Line], together: Together) -> list[Line]:
    """These lines, the least ones as one: their sum, or the greatest of them where values are
    worst cases already."""
    if len(lines) <= MOST_LINES:
        return lines
    kept, rest = lines[: MOST_LINES - 1], lines[MOST_LINES - 1 :]
    join = max if together is max else sum
    points = []
    for column in zip(*(line.points for line in rest), strict=True):
        values = [value for _, value in column if value is not None]
        points.append((column[0][0], join(values) if values else None))
    words = "the worst of" if join is max else "the sum of"
    return [*kept, Line(f"{words} {len(rest)} others", tuple(points))]
