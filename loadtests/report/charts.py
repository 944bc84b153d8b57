"""Lines into the geometry of a chart, and into the table that says the same. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from loadtests.report.lines import Line, Point
from loadtests.runs.moments import Event, Kind
from plots.scales import Linear, Logarithmic, Scale, Tick, decimal_marks, even_marks, path, ticks

WIDTH: Final = 860
HEIGHT: Final = 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 14, 22, 36
_NUMBERED: Final = 18
"""Events that get their numbers above the plot; more would cover each other."""


@dataclass(frozen=True, slots=True)
class Plot:
    """What is to be drawn. An axis of shares of requests has its marks of its own."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    x_name: str = "seconds"
    logarithmic: bool = False
    x_marks: tuple[tuple[float, str], ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line as SVG has it: pieces, since there may be gaps; `colour` counts from 1."""

    name: str
    colour: int
    style: str
    pieces: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """An event: where, of which kind, what, and its number where there is room for it."""

    at: float
    kind: Kind
    text: str
    number: int | None


@dataclass(frozen=True, slots=True)
class Chart:
    """Geometry and words of a chart, and the rows of its table."""

    title: str
    unit: str
    x_name: str
    lines: tuple[Drawn, ...]
    marks: tuple[Mark, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    rows: tuple[tuple[str, ...], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM

    @property
    def kinds(self) -> list[Kind]:
        """Kinds of events that are marked, for the legend."""
        there = {mark.kind for mark in self.marks}
        return [kind for kind in Kind if kind in there]


def draw(plot: Plot) -> Chart | None:
    """The chart; None when no line has a value."""
    values = [value for line in plot.lines for value in line.values]
    if not values:
        return None
    x, x_ticks = _across(plot)
    y, y_ticks = _down(values, plot.logarithmic)
    return Chart(
        title=plot.title,
        unit=plot.unit,
        x_name=plot.x_name,
        lines=tuple(_drawn(plot.lines, x, y, plot.logarithmic)),
        marks=tuple(_marks(plot.events, x)),
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        rows=tuple(_rows(plot)),
    )


def number(value: float) -> str:
    """As people write it: four digits at most, no exponent."""
    if value == 0:
        return "0"
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    written = f"{value:,.{places}f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def _across(plot: Plot) -> tuple[Scale, tuple[Tick, ...]]:
    last = max(place for line in plot.lines for place, _ in line.points)
    start, end = _LEFT, WIDTH - _RIGHT
    if plot.x_marks:
        logarithmic = Logarithmic(plot.x_marks[0][0], plot.x_marks[-1][0], start, end)
        words = dict(plot.x_marks)
        return logarithmic, ticks(logarithmic, words, lambda value: words[value])
    marks = [mark for mark in even_marks(last, most=10) if mark <= last] or [0.0]
    linear = Linear(0, last or 1, start, end)
    return linear, ticks(linear, marks, number)


def _down(values: Sequence[float], logarithmic: bool) -> tuple[Scale, tuple[Tick, ...]]:
    start, end = HEIGHT - _BOTTOM, _TOP
    positive = [value for value in values if value > 0]
    if logarithmic and positive:
        marks = decimal_marks(min(positive), max(positive))
        # One value alone lies on its mark: an axis needs two.
        marks = marks if len(marks) > 1 else [marks[0] / 2, marks[0], marks[0] * 2]
        scale: Scale = Logarithmic(marks[0], marks[-1], start, end)
    else:
        marks = even_marks(max(values))
        scale = Linear(0, marks[-1], start, end)
    return scale, ticks(scale, marks, number)


def _drawn(lines: Iterable[Line], x: Scale, y: Scale, logarithmic: bool) -> Iterator[Drawn]:
    colour = 0
    for line in lines:
        colour += line.style == "plain"
        pieces = [
            [(x.at(across), y.at(value)) for across, value in piece]
            for piece in _pieces(line.points, lambda value: not logarithmic or value > 0)
        ]
        yield Drawn(
            line.name,
            colour,
            line.style,
            tuple(path(piece) for piece in pieces if len(piece) > 1),
            # A point without neighbours has no line.
            tuple(
                (round(a, 1), round(d, 1)) for piece in pieces if len(piece) == 1 for a, d in piece
            ),
        )


def _pieces(
    points: Iterable[Point], shown: Callable[[float], bool]
) -> Iterator[list[tuple[float, float]]]:
    """Neighbours that have values; what a logarithm has no place for is a gap, too."""
    piece: list[tuple[float, float]] = []
    for across, value in points:
        if value is not None and shown(value):
            piece.append((across, value))
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def _marks(events: Sequence[Event], x: Scale) -> Iterator[Mark]:
    numbered = len(events) <= _NUMBERED
    for place, event in enumerate(events, 1):
        at = min(max(x.at(event.second), _LEFT), WIDTH - _RIGHT)
        yield Mark(round(at, 1), event.kind, event.text, place if numbered else None)


def _rows(plot: Plot) -> Iterator[tuple[str, ...]]:
    """What the chart shows, by places on the x axis; lines need not have the same ones."""
    words = dict(plot.x_marks)
    known = [dict(line.points) for line in plot.lines]
    for place in sorted({place for line in plot.lines for place, _ in line.points}):
        cells = (line.get(place) for line in known)
        head = words.get(place) or number(place)
        yield head, *("–" if cell is None else number(cell) for cell in cells)
