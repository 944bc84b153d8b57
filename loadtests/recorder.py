"""Counts what callers see, as the generator's calls end. For one event loop."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from loadtests.crowd import Group
from loadtests.plan import Figures, Measured, Outcome, PhaseFigures
from loadtests.runs.moments import Value
from loadtests.runs.record import Model
from loadtests.runs.tally import Answer, Tally
from loadtests.scenario import Span, span_at


class Clock:
    """Seconds since the load began, by a clock that nobody sets."""

    def __init__(self) -> None:
        self._begun: float | None = None
        self.started_at = 0.0

    def begin(self) -> None:
        """The load starts now; only the first call counts."""
        if self._begun is None:
            self._begun, self.started_at = time.perf_counter(), time.time()

    @property
    def now(self) -> float:
        """0 before the start."""
        return self.at(time.perf_counter())

    def at(self, moment: float) -> float:
        """The second of a moment of `time.perf_counter`."""
        return 0.0 if self._begun is None else moment - self._begun

    def moment(self, second: float) -> float:
        """The moment of a second, the other way round."""
        return second + (self._begun or 0.0)


class Ended(NamedTuple):
    """A call that ended: its operation, whose it was, and how it went."""

    operation: str
    due: float
    """Second of its intended start."""
    at: float
    """Second of its end."""
    group: Group
    milliseconds: float
    """From the intended start."""
    outcome: Outcome
    error: str | None = None


class Counting(Protocol):
    """Who is told of calls: a recorder, or what passes on to one on another machine."""

    def offered(self, due: float, group: Group) -> None:
        """A call is due at this second, whether it can be made then or not."""

    def overflowed(self, due: float, group: Group) -> None:
        """It could not be made: too many were under way."""

    def ended(self, call: Ended) -> None:
        """A call ended."""


@dataclass
class Recorder:
    """All that is counted in a run; memory does not grow with its length, but for its phases."""

    spans: tuple[Span, ...]
    model: Model
    tally: Tally = field(default_factory=Tally)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    last_fault: float | None = None
    last_answer: float = 0.0
    phases: list[PhaseFigures] = field(init=False)

    def __post_init__(self) -> None:
        self.phases = [PhaseFigures() for _ in self.spans]

    def offered(self, due: float, group: Group) -> None:
        """A call is due at this second, whether it can be made then or not."""
        if self.model is Model.OPEN:  # a closed model offers what is answered
            self.tally.offer(due)
        self._figures(due, group).offered += 1

    def overflowed(self, due: float, group: Group) -> None:
        """It could not be made: too many were under way."""
        self._figures(due, group).overflow += 1

    def ended(self, call: Ended) -> None:
        """Count a call."""
        microseconds = round(call.milliseconds * 1000)
        self.tally.count(Answer(call.operation, call.at, microseconds, call.error))
        self.outcomes[call.outcome] += 1
        self.last_answer = max(call.at, self.last_answer)
        figures = self._figures(call.due, call.group)
        figures.times.record(microseconds)
        if call.outcome is Outcome.RIGHT:
            figures.right += 1
        elif call.outcome is not Outcome.WRONG:
            self.last_fault = max(call.at, self.last_fault or 0.0)

    def take_seconds(self, before: float) -> Iterator[Value]:
        """The values of seconds that were over before this one; they are forgotten."""
        return self.tally.take_seconds(before)

    def measured(self, clock: Clock) -> Measured:
        """Everything until now."""
        return Measured(
            started_at=clock.started_at,
            seconds=self.last_answer or clock.now,
            operations=self.tally.operations(),
            outcomes=self.outcomes,
            phases=self.phases,
            last_fault=self.last_fault,
        )

    def _figures(self, due: float, group: Group) -> Figures:
        return self.phases[span_at(self.spans, due)].of(group)
