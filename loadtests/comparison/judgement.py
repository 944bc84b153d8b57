"""Two sets of runs side by side: each figure, its change, whether that is for the worse. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from loadtests.comparison.intervals import Change, difference, ratio
from loadtests.runs.record import ALL, Operation, Run

_FEWEST: Final = {0.5: 20, 0.99: 500}
"""Requests below which a percentile of a run says little: five should lie beyond it."""


class Verdict(StrEnum):
    """What a change means."""

    SAME = "same"
    """What changed may be noise, or is allowed."""
    BETTER = "better"
    WORSE = "worse"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of every run of A and of B. `less` is good for durations, not for rates."""

    name: str
    unit: str
    a: tuple[float, ...]
    b: tuple[float, ...]
    less: bool = True
    judged: bool = True
    """Whether the exit status hears of it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A figure with its change: a ratio of B to A, or, for shares, a difference in points."""

    figure: Figure
    change: Change
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that is told of A and B."""

    figures: tuple[Judged, ...]
    differences: tuple[str, ...]
    """In what the runs were not the same, so that more than the program may differ."""
    interval: bool
    """Whether both sides were repeated, so that there are intervals."""

    @property
    def worse(self) -> bool:
        """Whether a figure that is judged got worse beyond what is allowed."""
        return any(one.verdict is Verdict.WORSE and one.figure.judged for one in self.figures)


def compare(
    a: Sequence[Run], b: Sequence[Run], allowed: float, operations: bool = False
) -> Comparison:
    """Compare; neither side may be empty.

    `allowed` is the part by which a duration may grow or a rate shrink. Single operations are
    always told; they are judged only where `operations` says so: of forty figures that did not
    change, one looks worse by chance.
    """
    figures = [*_whole(a, b), *_each(a, b, operations)]
    judged = (_judged(figure, allowed) for figure in figures)
    return Comparison(
        figures=tuple(one for one in judged if one is not None),
        differences=tuple(_differences(a, b)),
        interval=len(a) > 1 and len(b) > 1,
    )


def _whole(a: Sequence[Run], b: Sequence[Run]) -> Iterator[Figure]:
    rate_a, rate_b = (tuple(run.throughput for run in side) for side in (a, b))
    yield Figure("right answers", "/s", rate_a, rate_b, less=False)
    failed_a, failed_b = (tuple(_failed(run.whole) for run in side) for side in (a, b))
    yield Figure("failed", "%", failed_a, failed_b)
    yield from _percentiles(ALL, [[run.whole for run in side] for side in (a, b)], judged=True)


def _each(a: Sequence[Run], b: Sequence[Run], judged: bool) -> Iterator[Figure]:
    """The operations that every run has."""
    sides = [[{one.name: one for one in run.operations} for run in side] for side in (a, b)]
    common = set.intersection(*(set(run) for side in sides for run in side))
    for name in sorted(common):
        yield from _percentiles(name, [[run[name] for run in side] for side in sides], judged)


def _percentiles(name: str, sides: list[list[Operation]], judged: bool) -> Iterator[Figure]:
    for part, fewest in _FEWEST.items():
        if all(one.requests >= fewest for side in sides for one in side):
            a, b = (tuple(one.times.percentile(part) / 1000 for one in side) for side in sides)
            yield Figure(f"{name}, p{part * 100:g}", "ms", a, b, judged=judged)


def _failed(operation: Operation) -> float:
    return 100 * operation.failures / operation.requests if operation.requests else 0.0


def _judged(figure: Figure, allowed: float) -> Judged | None:
    """None when the figure has no ratio: one of the runs did nothing."""
    if figure.unit == "%":
        points = difference(figure.a, figure.b)
        return Judged(figure, points, _verdict(points, neutral=0, worst=0, less=True))
    change = ratio(figure.a, figure.b)
    if change is None:
        return None
    worst = 1 + allowed if figure.less else 1 - allowed
    return Judged(figure, change, _verdict(change, 1, worst, figure.less))


def _verdict(change: Change, neutral: float, worst: float, less: bool) -> Verdict:
    """Worse when all of the interval lies beyond the worst that is allowed, better when all of it
    lies on the good side; without an interval the estimate stands for it."""
    low = change.estimate if change.low is None else change.low
    high = change.estimate if change.high is None else change.high
    if (low > worst) if less else (high < worst):
        return Verdict.WORSE
    return Verdict.BETTER if ((high < neutral) if less else (low > neutral)) else Verdict.SAME


def _differences(a: Sequence[Run], b: Sequence[Run]) -> Iterator[str]:
    """What was not the same in all runs; a commit or a setting is often the question itself."""
    sides = [[_conditions(run) for run in side] for side in (a, b)]
    for name in sides[0][0]:
        found = [sorted({run[name] for run in side}) for side in sides]
        if found[0] != found[1] or len(found[0]) > 1:
            words = [_short(", ".join(side)) for side in found]
            yield f"{name}: {words[0]} against {words[1]}" if words[0] != words[1] else name


def _conditions(run: Run) -> dict[str, str]:
    machine = run.machine
    return {
        "scenario": run.scenario,
        "model": run.model,
        "offered rates": " ".join(f"{offered.rate:g}" for offered in run.offered),
        "cpus": str(machine.cpus),
        "memory": str(machine.memory),
        "kernel": machine.kernel,
        "Python": machine.python,
        "PostgreSQL": machine.postgres,
        "commit": run.commit,
        "configuration": ", ".join(f"{name}={value}" for name, value in run.configuration.items()),
    }


def _short(words: str) -> str:
    return words if len(words) <= 60 else f"{words[:57]}…"
