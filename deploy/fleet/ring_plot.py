"""A simulation of the ring as a picture: SVG without a script, a font or any other file. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.fleet.templates import TEMPLATES
from plots.scales import Logarithmic, decimal_marks, path, ticks
from services.fleet.planner.prediction import MIB
from services.fleet.planner.simulation import Answer, Question

_WIDTH, _PANEL_WIDTH, _PANEL_HEIGHT = 860, 530, 190
_LEFT, _TOP, _STEP = 90, 76, 280


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
    x = Logarithmic(min(sizes), max(sizes), 0, _PANEL_WIDTH)
    marks = decimal_marks(min(values, default=1), max(values, default=1))
    y = Logarithmic(marks[0], marks[-1], _PANEL_HEIGHT, 0)
    return {
        "title": title,
        "unit": unit,
        "width": _PANEL_WIDTH,
        "height": _PANEL_HEIGHT,
        "x_ticks": ticks(x, sizes, "{:,.0f}".format),
        "y_ticks": ticks(y, marks, "{:,.12g}".format),
        "series": [_series(line, answers, x, y) for line in lines],
    }


def _series(
    line: _Line,
    answers: Sequence[Answer],
    x: Logarithmic,
    y: Logarithmic,
) -> dict[str, Any]:
    places = ((x.at(one.shards), y.at(v)) for one in answers if (v := line.of(one)) > 0)
    dots = [(round(across, 1), round(down, 1)) for across, down in places]
    dashed = "dashed" in line.style
    return {
        "name": line.name,
        "style": line.style,
        "points": path(dots),
        "dots": [] if dashed else dots,
    }
