"""The matrix: every point of a move by every family of faults, and what `make test` takes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from _pytest.mark import ParameterSet

from tests.faults.matrix.families import FAMILIES, Family
from tests.faults.matrix.points import Point, Route, points

# One of so many chosen cases runs on every version of PostgreSQL; servers that take turns are no
# part of it, they have tests of their own there.
_VERSIONS_EVERY = 17


@dataclass(frozen=True)
class Case:
    """A point and what happens there."""

    point: Point
    family: Family

    def __str__(self) -> str:
        return f"{self.point}-{self.family.name}"


def matrix(families: Sequence[Family]) -> list[Case]:
    """All of it."""
    return [Case(point, family) for point in points() for family in families]


def chosen(families: Sequence[Family]) -> list[Case]:
    """One case of each step that is not only a way back's; sides and families take turns."""
    steps = [one for one in points() if one.route is not Route.BACK]
    pairs = list(zip(steps[::2], steps[1::2], strict=True))
    return [
        Case(pair[number % 2], families[number % len(families)])
        for number, pair in enumerate(pairs)
    ]


def parameters(families: Sequence[Family] = FAMILIES) -> list[ParameterSet]:
    """The matrix for pytest: what was not chosen is torture."""
    everyday = {str(case): number for number, case in enumerate(chosen(families))}
    return [_parameter(case, everyday.get(str(case))) for case in matrix(families)]


def _parameter(case: Case, number: int | None) -> ParameterSet:
    marks = [pytest.mark.torture] if number is None else []
    if number is not None and number % _VERSIONS_EVERY == 0 and not case.family.guarded:
        marks.append(pytest.mark.versions)
    return pytest.param(case, id=str(case), marks=marks)
