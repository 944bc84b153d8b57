"""What a run had to reach: its scenario's goals, and those of every run. Pure.

Nothing wrong, nothing broken, nothing refused and no arrival turned away is demanded of every run;
a scenario that breaks something on purpose says by goals of its own what it allows instead. Wrong
answers no scenario can allow.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from loadtests.acts import Done
from loadtests.crowd import Group
from loadtests.histogram import Histogram
from loadtests.plan import Figures, Measured, Outcome
from loadtests.runs.record import Fairness, Gate
from loadtests.scenario import Goal, Measure, Scenario

KNEE_P99_MS: Final = 500.0
KNEE_RIGHT: Final = 0.95
"""A phase was kept up with when this part of its calls was right, none was turned away, and p99 was
below the bound above."""

_PARTS: Final = {
    Measure.P50: 0.5,
    Measure.P95: 0.95,
    Measure.P99: 0.99,
    Measure.P999: 0.999,
    Measure.MAX: 1.0,
}
_NAMES: Final = {
    Measure.BROKEN: "broken calls, part of all",
    Measure.REFUSED: "refused calls, part of all",
    Measure.OVERFLOW: "arrivals turned away, part of all",
    Measure.FAIRNESS: "others' p99 with the whale, times that without",
    Measure.DISTURBANCE: "p99 of later phases, times that of the first",
    Measure.KNEE: "highest rate kept up with, arrivals/s",
    Measure.RECOVERY: "last fault behind the mending, s",
}
_EVERY_RUN: Final = tuple(
    Goal(measure=measure, most=0) for measure in (Measure.BROKEN, Measure.REFUSED, Measure.OVERFLOW)
)


def gates(scenario: Scenario, measured: Measured, done: Sequence[Done]) -> tuple[Gate, ...]:
    """Every demand, with what was measured."""
    return tuple(_gates(scenario, measured, done))


def _gates(scenario: Scenario, measured: Measured, done: Sequence[Done]) -> Iterator[Gate]:
    yield _at_least("calls", 1, measured.answers)
    yield _at_most("wrong answers", 0, measured.outcomes[Outcome.WRONG])
    if measured.generators_lost:
        yield _at_most("generators lost", 0, measured.generators_lost)
    own = {goal.measure for goal in scenario.goals}
    for goal in (*(g for g in _EVERY_RUN if g.measure not in own), *scenario.goals):
        yield _gate(goal, _measured(goal, scenario, measured, done))
    if scenario.acts:
        in_time = sum(one.ended <= measured.seconds for one in done)
        yield _at_least("acts done under load", len(scenario.acts), in_time)


def fairness(scenario: Scenario, measured: Measured) -> Fairness | None:
    """Others' p99 in phases with the whale against phases without; None where one is missing."""
    alone, beside = Histogram(), Histogram()
    for phase, figures in zip(scenario.phases, measured.phases, strict=True):
        (beside if phase.whale else alone).add(figures.of(Group.OTHERS).times)
    without = alone.percentile(0.99) / 1000
    if not scenario.has_whale or not beside.counts or not without:
        return None
    return Fairness(others_p99=beside.percentile(0.99) / 1000, without_p99=without)


def knee(scenario: Scenario, measured: Measured) -> float:
    """The rate of the last phase before the first one that was not kept up with; 0: none was."""
    kept = 0.0
    for span, figures in zip(scenario.spans(), measured.phases, strict=True):
        groups = figures.groups.values()
        if not groups or not all(_kept_up(one) for one in groups):
            break
        kept = span.load
    return kept


def _kept_up(figures: Figures) -> bool:
    return (
        not figures.overflow
        and figures.right >= KNEE_RIGHT * figures.offered
        and figures.times.percentile(0.99) <= 1000 * KNEE_P99_MS
    )


def _measured(
    goal: Goal, scenario: Scenario, measured: Measured, done: Sequence[Done]
) -> float | None:
    fair = fairness(scenario, measured)
    outcomes, answers = measured.outcomes, measured.answers
    found = {
        Measure.BROKEN: _part(outcomes[Outcome.BROKEN], answers),
        Measure.REFUSED: _part(outcomes[Outcome.REFUSED], answers),
        Measure.OVERFLOW: _part(measured.overflow, measured.offered),
        Measure.FAIRNESS: None if fair is None else fair.ratio,
        Measure.DISTURBANCE: _disturbance(measured),
        Measure.KNEE: knee(scenario, measured),
        Measure.RECOVERY: _recovery(measured, done),
    }
    return found[goal.measure] if goal.measure in found else _percentile(goal, measured)


def _disturbance(measured: Measured) -> float | None:
    first, *later = (
        Histogram.merged(figures.times for figures in phase.groups.values())
        for phase in measured.phases
    )
    before, behind = first.percentile(0.99), Histogram.merged(later).percentile(0.99)
    return behind / before if before and behind else None


def _recovery(measured: Measured, done: Sequence[Done]) -> float | None:
    mended = [one.ended for one in done if one.act.mends]
    if not mended:
        return None
    return max(0.0, (measured.last_fault or 0.0) - mended[-1])


def _percentile(goal: Goal, measured: Measured) -> float | None:
    times = Histogram.merged(o.times for o in measured.operations if goal.of in ("", o.name))
    return times.percentile(_PARTS[goal.measure]) / 1000 if times.counts else None


def _part(some: int, of_all: int) -> float:
    return some / of_all if of_all else 0.0


def _gate(goal: Goal, measured: float | None) -> Gate:
    name = _NAMES.get(goal.measure) or f"{goal.measure} of {goal.of or 'all calls'}, ms"
    if goal.most is not None:
        return _at_most(name, goal.most, measured)
    return _at_least(name, goal.least or 0.0, measured)


def _at_most(name: str, goal: float, measured: float | None) -> Gate:
    return Gate(name=name, bound="at most", goal=goal, measured=measured)


def _at_least(name: str, goal: float, measured: float | None) -> Gate:
    return Gate(name=name, bound="at least", goal=goal, measured=measured)
