"""Scenarios: what is called, how often, for whom, what happens meanwhile and what must come of it.

Each is a small file in `loadtests/scenarios/`; docs/load-tests.md has what may stand in one.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from loadtests.runs.moments import Kind
from loadtests.runs.record import Model

FOLDER = Path(__file__).parent / "scenarios"


class NoScenario(Exception):
    """There is no such scenario, or its file is wrong. The message says what is."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Phase(_Part):
    """A part of the run with a load of its own, as multiples of the scenario's."""

    name: str
    share: PositiveFloat = 1
    """How much of the run's time, beside the other phases' shares."""
    times: NonNegativeFloat = 1
    """The load, times that of the scenario."""
    whale: NonNegativeFloat = 0
    """What the whale asks on top, times the load of the scenario."""
    flash: float = Field(default=0, ge=0, le=1)
    """The part of all calls that go to the tenant who is otherwise the quietest."""


class Act(_Part):
    """What an operator does while the load goes on."""

    at: float = Field(ge=0, lt=1)
    """When, as a part of the run's time; never before the act before it has ended."""
    do: str
    """A command, `docshard …`; `{…}` stands for what docs/load-tests.md says."""
    kind: Kind
    mends: bool = False
    """From its end on everything is whole again: recovery is counted from here."""


class Measure(StrEnum):
    """What a goal may be about."""

    P50 = "p50"
    P95 = "p95"
    P99 = "p99"
    P999 = "p999"
    MAX = "max"
    BROKEN = "broken"
    """The part of calls that ended with 5xx other than 503, or without an answer."""
    REFUSED = "refused"
    """The part of calls that were answered 429 or 503."""
    OVERFLOW = "overflow"
    """The part of arrivals that could not begin: too many were under way."""
    FAIRNESS = "fairness"
    """Others' p99 with the whale, divided by their p99 without it."""
    DISTURBANCE = "disturbance"
    """The p99 of all phases but the first, divided by that of the first."""
    KNEE = "knee"
    """The highest rate of a phase that was kept up with, in arrivals a second."""
    RECOVERY = "recovery"
    """Seconds from the end of the act that mends to the last refused or broken call."""


class Goal(_Part):
    """A demand; percentiles are in milliseconds."""

    measure: Measure
    of: str = ""
    """The operation whose percentile it is; empty: of all."""
    most: float | None = None
    least: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.most is None) == (self.least is None):
            raise ValueError("a goal has either `most` or `least`")
        return self


class Scenario(_Part):
    """One file. Rates are arrivals a second; users and rate are of a 2-core machine's fleet."""

    title: str
    """What it asks, in a line."""
    model: Model
    seconds: PositiveInt = 30
    users: PositiveInt | None = None
    rate: PositiveFloat | None = None
    in_flight: PositiveInt = 100
    """Open model: arrivals under way at most; more overflow."""
    skew: NonNegativeFloat = 1.0
    """Zipf's exponent: how much busier the first tenants are than the last."""
    wait_ms: tuple[int, int] = (20, 100)
    """Closed model: what a user waits between two operations, from and to."""
    mix: dict[str, PositiveInt]
    """Operations by weight."""
    phases: tuple[Phase, ...] = (Phase(name="steady"),)
    acts: tuple[Act, ...] = ()
    after: tuple[str, ...] = ()
    """Commands behind the load, so that the fleet is as it was; done in any case."""
    goals: tuple[Goal, ...] = ()

    @model_validator(mode="after")
    def _load_of_its_model(self) -> Self:
        given = {Model.CLOSED: self.users, Model.OPEN: self.rate}
        if given.pop(self.model) is None or any(given.values()):
            raise ValueError("a closed model has `users`, an open one `rate`")
        return self

    @property
    def load(self) -> float:
        """Users or arrivals a second."""
        return self.users or self.rate or 0

    @property
    def has_whale(self) -> bool:
        """The busiest tenant is no part of the crowd then."""
        return any(phase.whale for phase in self.phases)

    def spans(self) -> "tuple[Span, ...]":
        """When each phase is and how much load it brings."""
        return tuple(self._spans())

    def _spans(self) -> Iterator["Span"]:
        each = self.seconds / sum(phase.share for phase in self.phases)
        begin = 0.0
        for phase in self.phases:
            end = begin + phase.share * each
            yield Span(phase, begin, end, self.load * (phase.times + phase.whale))
            begin = end


@dataclass(frozen=True, slots=True)
class Span:
    """A phase in time: from and to these seconds; its users or arrivals a second."""

    phase: Phase
    begin: float
    end: float
    load: float


def span_at(spans: tuple[Span, ...], second: float) -> int:
    """Which span a second lies in; behind the last one it is the last."""
    return next((n for n, span in enumerate(spans) if second < span.end), len(spans) - 1)


def names() -> list[str]:
    """Every scenario there is."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def read(name: str, **instead: Any) -> Scenario:
    """The scenario of this name or in this file, with values in the place of its own.

    Raises NoScenario.
    """
    file = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    given = {key: value for key, value in instead.items() if value is not None}
    try:
        return Scenario.model_validate(tomllib.loads(file.read_text()) | given)
    except OSError as error:
        raise NoScenario(f"There is no scenario {name}: {', '.join(names())}.") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))} {fault['msg']}".strip() for fault in error.errors()
        )
        raise NoScenario(f"{name}: {faults}") from error
    except tomllib.TOMLDecodeError as error:
        raise NoScenario(f"{file}: {error}") from error
