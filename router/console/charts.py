"""Geometry of the charts: values into places of an SVG. Pure.

Pages draw them without a script, so they are there for who prints, and for who blocks scripts. Each
stands beside a table of the same values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from plots.scales import Formatter, Linear, Logarithmic, Tick, path, ticks

WIDTH, HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 12, 12, 28


@dataclass(frozen=True, slots=True)
class Line:
    """A line's points, as SVG has them, and the area below it."""

    points: str
    area: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot; places are in units of the SVG."""

    line: Line
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


@dataclass(frozen=True, slots=True)
class Labels:
    """How the values of both axes are written."""

    x: Formatter
    y: Formatter


def rank_size(sizes: Sequence[int], labels: Labels) -> Chart | None:
    """Sizes, largest first, over their ranks, both by their logarithms: a straight line is Zipf's
    law. None for fewer than two that are not empty."""
    found = [one for one in sizes if one > 0]
    if len(found) < 2:
        return None
    x = Logarithmic(1, len(found), _LEFT, WIDTH - _RIGHT)
    # Bytes are told in units of 1024, so that powers of 4 are round numbers.
    low, high = _power(4, found[-1], math.floor), _power(4, found[0], math.ceil)
    y = Logarithmic(low, max(high, low * 4), HEIGHT - _BOTTOM, _TOP, base=4)
    places = [(x.at(rank), y.at(size)) for rank, size in enumerate(found, 1) if _shown(rank)]
    return _chart(places, ticks(x, x.marks(), labels.x), ticks(y, y.marks(), labels.y))


def over_time(
    samples: Sequence[tuple[float, float]], labels: Labels, least: float = 1
) -> Chart | None:
    """Values over seconds, from 0 up to `least` or more; None for fewer than two."""
    if len(samples) < 2:
        return None
    x = Linear(samples[0][0], samples[-1][0], _LEFT, WIDTH - _RIGHT)
    y = Linear(0, max(least, *(value for _, value in samples)), HEIGHT - _BOTTOM, _TOP)
    places = [(x.at(moment), y.at(value)) for moment, value in samples]
    return _chart(places, ticks(x, x.marks(), labels.x), ticks(y, y.marks(), labels.y))


def _chart(
    places: Sequence[tuple[float, float]], x: tuple[Tick, ...], y: tuple[Tick, ...]
) -> Chart:
    points = path(places)
    floor = HEIGHT - _BOTTOM
    area = f"{places[0][0]:.1f},{floor} {points} {places[-1][0]:.1f},{floor}"
    return Chart(Line(points, area), x, y)


def _shown(rank: int) -> bool:
    """Of many ranks so many as the eye can tell apart: all up to 100, then ever fewer."""
    return rank <= 100 or rank % (10 ** (int(math.log10(rank)) - 1)) == 0


def _power(base: int, value: float, rounded: Callable[[float], int]) -> float:
    return float(base) ** rounded(math.log(value, base))
