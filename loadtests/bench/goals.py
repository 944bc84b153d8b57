"""Figures, what is demanded of them, and what they were before: who judges a run. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

from pydantic import BaseModel, ConfigDict

from loadtests.bench.rounds import Interval
from loadtests.results import aligned

TOLERANCE = 0.1
"""A ratio may be so much worse than the baseline's."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure must be: at least `bound`, or at most where `most` is set."""

    figure: str
    bound: float
    most: bool = False

    def met(self, value: float) -> bool:
        """Whether the value is good enough."""
        return value <= self.bound if self.most else value >= self.bound

    def __str__(self) -> str:
        return f"{'≤' if self.most else '≥'} {self.bound:g}"


class Baseline(BaseModel):
    """Ratios of an earlier run, by figure; and of which code, when, and on what kind of machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: str
    day: date
    machine: str
    ratios: dict[str, float]

    def speaks_of(self, machine: str) -> bool:
        """Whether it was taken on such a machine: where there are more cores, what shares them
        here does not, and other ratios are right."""
        return self.machine == machine

    @classmethod
    def taken(cls, figures: Mapping[str, Interval], commit: str, day: date, machine: str) -> Self:
        """A new one of these figures, as far as they are ratios."""
        return cls(
            commit=commit,
            day=day,
            machine=machine,
            ratios={name: round(found.value, 3) for name, found in figures.items()},
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """One figure, judged."""

    name: str
    found: Interval
    goal: Goal | None
    before: float | None

    @property
    def missed(self) -> bool:
        """Whether its goal is."""
        return self.goal is not None and not self.goal.met(self.found.value)

    @property
    def worse(self) -> bool:
        """Whether it is much worse than the baseline: by its median, whatever its noise."""
        return self.before is not None and self.found.value < self.before * (1 - TOLERANCE)

    def row(self) -> tuple[str, ...]:
        """A line of the table."""
        interval = f"{self.found.low:.2f} to {self.found.high:.2f}"
        words = [word for word in ("missed" * self.missed, "worse" * self.worse) if word]
        return (
            self.name,
            f"{self.found.value:.2f}",
            interval,
            "" if self.goal is None else str(self.goal),
            "" if self.before is None else f"{self.before:.2f}",
            ", ".join(words),
        )


def judged(
    figures: Mapping[str, Interval], goals: Sequence[Goal], baseline: Baseline | None
) -> list[Verdict]:
    """Every figure with its goal and its baseline.

    Raises:
        LookupError: something is demanded of a figure that was not taken.
    """
    by_figure = {goal.figure: goal for goal in goals}
    if unknown := by_figure.keys() - figures.keys():
        raise LookupError(f"not measured: {', '.join(sorted(unknown))}")
    before = {} if baseline is None else baseline.ratios
    return [
        Verdict(name, found, by_figure.get(name), before.get(name))
        for name, found in figures.items()
    ]


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """Value, interval, goal, baseline, and what is wrong with it."""
    head = ("ratio", "median", "95 in 100", "goal", "baseline", "")
    return aligned([head, *(verdict.row() for verdict in verdicts)])


def faults(verdicts: Sequence[Verdict]) -> list[str]:
    """What makes the run fail, in words."""
    return [
        f"{one.name} is {one.found.value:.2f}, {what}"
        for one in verdicts
        for what in (
            f"the goal {one.goal}" * one.missed,
            f"the baseline {one.before}" * one.worse,
        )
        if what
    ]
