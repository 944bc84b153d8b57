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
_NUMBER_WIDTH: Final = 26
"""Room for an event's number above the plot; those of nearer ones are told as a range."""
_DOTTED: Final = 12
"""Points of a line up to which each has a dot."""


@dataclass(frozen=True, slots=True)
class Plot:
    """What is to be drawn. An axis that has its marks of its own is logarithmic.

    A point stands for what lies in the `span` behind it, and is drawn in its middle, so that an
    event's line crosses where it happened.
    """

    title: str
    unit: str
    lines: tuple[Line, ...]
    x_name: str = "seconds"
    logarithmic: bool = False
    x_marks: tuple[tuple[float, str], ...] = ()
    events: tuple[Event, ...] = ()
    span: float = 0


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
    """An event: where, of which kind, and what."""

    at: float
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Geometry and words of a chart, and the rows of its table."""

    title: str
    unit: str
    x_name: str
    lines: tuple[Drawn, ...]
    marks: tuple[Mark, ...]
    numbers: tuple[Tick, ...]
    """Of the events, as the page's list of them has them."""
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
    marks = tuple(_marks(plot.events, x))
    return Chart(
        title=plot.title,
        unit=plot.unit,
        x_name=plot.x_name,
        lines=tuple(_drawn(plot, x, y)),
        marks=marks,
        numbers=tuple(_numbers(marks)),
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        rows=tuple(_rows(plot)),
    )


def number(value: float) -> str:
    """As people write it: three digits that mean something, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _across(plot: Plot) -> tuple[Scale, tuple[Tick, ...]]:
    last = max(place for line in plot.lines for place, _ in line.points) + plot.span
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


def _drawn(plot: Plot, x: Scale, y: Scale) -> Iterator[Drawn]:
    colour = 0
    for line in plot.lines:
        colour += line.style == "plain"
        pieces = [
            [(x.at(across + plot.span / 2), y.at(value)) for across, value in piece]
            for piece in _pieces(line.points, lambda value: not plot.logarithmic or value > 0)
        ]
        yield Drawn(
            line.name,
            colour,
            line.style,
            tuple(path(piece) for piece in pieces if len(piece) > 1),
            tuple(_dots(pieces)) if line.style != "goal" else (),
        )


def _dots(pieces: Sequence[Sequence[tuple[float, float]]]) -> Iterator[tuple[float, float]]:
    """All points where they are few; a point without neighbours always, since it has no line."""
    few = sum(map(len, pieces)) <= _DOTTED
    for piece in pieces:
        if few or len(piece) == 1:
            yield from ((round(across, 1), round(down, 1)) for across, down in piece)


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


def _marks(events: Iterable[Event], x: Scale) -> Iterator[Mark]:
    for event in events:
        at = min(max(x.at(event.second), _LEFT), WIDTH - _RIGHT)
        yield Mark(round(at, 1), event.kind, event.text)


def _numbers(marks: Sequence[Mark]) -> Iterator[Tick]:
    """Above each mark its number, above neighbours the first and the last of theirs."""
    first = 0
    for last, mark in enumerate(marks):
        if last + 1 == len(marks) or marks[last + 1].at - mark.at > _NUMBER_WIDTH:
            words = f"{first + 1}" if first == last else f"{first + 1}–{last + 1}"
            yield Tick((marks[first].at + mark.at) / 2, words)
            first = last + 1


def _rows(plot: Plot) -> Iterator[tuple[str, ...]]:
    """What the chart shows, by places on the x axis; lines need not have the same ones."""
    words = dict(plot.x_marks)
    known = [dict(line.points) for line in plot.lines]
    for place in sorted({place for line in plot.lines for place, _ in line.points}):
        cells = (line.get(place) for line in known)
        head = words.get(place) or number(place)
        yield head, *("–" if cell is None else number(cell) for cell in cells)
