"""A simulation of the ring as a picture: SVG without a script, a font or any other file. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.fleet.templates import TEMPLATES
from services.fleet.planner.prediction import MIB
from services.fleet.planner.simulation import Answer, Question

_WIDTH, _PANEL_WIDTH, _PANEL_HEIGHT = 860, 530, 190
_LEFT, _TOP, _STEP = 90, 76, 280
_STEPS = (1.0, 2.0, 5.0)
_FEWEST_TICKS, _MOST_TICKS = 3, 9


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a panel. `style`: a letter of the template's colours, `dashed` beside it."""

    name: str
    style: str
    of: Callable[[Answer], float]


def picture(question: Question, answers: Sequence[Answer]) -> str:
    """The SVG of a simulation: balance, movement and cost over the number of shards."""
    bound = 1 + question.tolerance
    panels = [
        _panel(
            "Balance: the fullest shard against its fair share",
            "max / mean",
            answers,
            [
                _Line("clients, by the ring", "a", lambda one: one.clients_imbalance),
                _Line("bytes, by the ring", "b", lambda one: one.bytes_imbalance),
                _Line("bytes, after goal load", "c", lambda one: one.relieved),
                _Line(f"bound {bound:g}", "d dashed", lambda _: bound),
            ],
        ),
        _panel(
            "Movement when one shard joins",
            "% of all clients",
            answers,
            [
                _Line("moved", "a", lambda one: 100 * one.moved),
                _Line("ideal, 1 / (n + 1)", "d dashed", lambda one: 100 * one.ideal),
            ],
        ),
        _panel(
            "Cost of moves, blobs stay where they are",
            "MiB",
            answers,
            [
                _Line("a shard joins", "a", lambda one: one.moved_bytes / MIB),
                _Line("goal load", "c", lambda one: one.relief_bytes / MIB),
            ],
        ),
    ]
    for number, panel in enumerate(panels):
        panel |= {"left": _LEFT, "top": _TOP + number * _STEP}
    title = f"{question.clients:,} clients, Zipf exponent {question.skew:g}, seed {question.seed}"
    height = _TOP + len(panels) * _STEP - 20
    template = TEMPLATES.get_template("ring_simulation.svg.j2")
    return template.render(title=title, width=_WIDTH, height=height, panels=panels)


def page(svg: str) -> str:
    """The picture as a page by itself."""
    head = '<!doctype html><meta charset="utf-8"><title>docshard ring simulate</title>'
    style = "<style>:root{color-scheme:light dark}body{margin:1rem}</style>"
    return f"{head}{style}\n{svg}"


def _panel(
    title: str, unit: str, answers: Sequence[Answer], lines: Sequence[_Line]
) -> dict[str, Any]:
    sizes = [float(one.shards) for one in answers]
    # A logarithm has no place for nothing: lines leave out what is 0.
    values = [value for line in lines for one in answers if (value := line.of(one)) > 0]
    x = _scale(min(sizes), max(sizes), 0, _PANEL_WIDTH)
    ticks = _ticks(min(values, default=1), max(values, default=1))
    y = _scale(ticks[0], ticks[-1], _PANEL_HEIGHT, 0)
    return {
        "title": title,
        "unit": unit,
        "width": _PANEL_WIDTH,
        "height": _PANEL_HEIGHT,
        "x_ticks": [{"at": x(size), "text": f"{size:,.0f}"} for size in sizes],
        "y_ticks": [{"at": y(tick), "text": f"{tick:,.12g}"} for tick in ticks],
        "series": [_series(line, answers, x, y) for line in lines],
    }


def _series(
    line: _Line,
    answers: Sequence[Answer],
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> dict[str, Any]:
    dots = [(x(one.shards), y(value)) for one in answers if (value := line.of(one)) > 0]
    points = " ".join(f"{across},{down}" for across, down in dots)
    dashed = "dashed" in line.style
    return {
        "name": line.name,
        "style": line.style,
        "points": points,
        "dots": [] if dashed else dots,
    }


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """From values to places, by their logarithms; all in the middle when they are one value."""
    if low == high:
        return lambda _: (start + end) / 2
    whole = math.log(high / low)
    return lambda value: round(start + (end - start) * math.log(value / low) / whole, 1)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers of which the first is not above the lowest and the last not below the highest:
    1, 2 and 5 of each power of ten, or these alone when they are many; close values get an even
    division."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    grid = [step * 10.0**power for power in range(first, last + 1) for step in _STEPS]
    below = max((one for one in grid if one <= low), default=grid[0])
    above = min((one for one in grid if one >= high), default=grid[-1])
    ticks = [one for one in grid if below <= one <= above]
    if len(ticks) > _MOST_TICKS:
        return [10.0**power for power in range(first, last + 1)]
    if len(ticks) >= _FEWEST_TICKS or below == above:
        return ticks
    return [below + (above - below) * part / 4 for part in range(5)]
