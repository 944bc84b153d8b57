"""What `run.json` holds: one run of a load test, whole, and no secret."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    computed_field,
    field_validator,
)

from loadtests.histogram import Histogram

FORMAT: Final = 1
"""Raised when a reader of the former format would read something wrong."""

ALL = "all"
"""The label of all operations together."""

_PARTS = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
_SECRET_NAME = re.compile(r"password|secret|token|credential|private|(^|_)(key|keys|dsn)$", re.I)
_SECRET_VALUE = re.compile(r"dsk_\w{16}|://[^/\s:@]+:[^/\s@]+@|PRIVATE KEY|\beyJ\w{10}", re.I)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Model(StrEnum):
    """Who decides when a request is sent."""

    OPEN = "open"
    """A schedule: requests come when they come, and times count from the intended start."""
    CLOSED = "closed"
    """Users, who wait for an answer before they ask again: a slow service is asked less."""


class Machine(_Frozen):
    """Where load and service ran. Memory is in bytes."""

    cpus: int
    memory: int
    kernel: str
    python: str
    postgres: str


class Offered(_Frozen):
    """From this second of the run on, requests are offered at this rate, until the next one."""

    second: NonNegativeFloat
    rate: NonNegativeFloat


class Failure(_Frozen):
    """A kind of failure and how often it was seen."""

    error: str
    seen: int


class Operation(_Frozen):
    """One operation's requests and times, those of failed ones included."""

    name: str
    requests: NonNegativeInt
    failures: NonNegativeInt
    errors: tuple[Failure, ...] = ()
    times: Histogram
    """Microseconds: from the intended start in an open model, else from when it was sent."""

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order; mypy lacks it
    @property
    def milliseconds(self) -> dict[str, float]:
        """Percentiles and the maximum, for those who read the file without this program."""
        if not self.times.counts:
            return {}
        told = {name: self.times.percentile(part) / 1000 for name, part in _PARTS.items()}
        return {**told, "max": self.times.largest / 1000}


class Gate(_Frozen):
    """One demand of the scenario, and what was measured; None: there was nothing to measure."""

    name: str
    """What is measured, with its unit, such as `p99 of get document, ms`."""
    bound: Literal["at most", "at least"]
    goal: float
    measured: float | None

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order; mypy lacks it
    @property
    def passed(self) -> bool:
        """What was not measured is not reached."""
        if self.measured is None:
            return False
        over = self.measured - self.goal
        return over <= 0 if self.bound == "at most" else over >= 0


class Ledger(_Frozen):
    """Acknowledged writes, looked up after the run. Missing or doubled ones break a promise."""

    acknowledged: NonNegativeInt
    checked: NonNegativeInt
    missing: NonNegativeInt
    doubled: NonNegativeInt

    @property
    def balanced(self) -> bool:
        """Every acknowledged write was looked up and is there once."""
        return self.checked == self.acknowledged and not self.missing and not self.doubled


class Fairness(_Frozen):
    """What others feel of one busy tenant: their 99th percentile with it and without, in ms."""

    others_p99: NonNegativeFloat
    without_p99: PositiveFloat

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order; mypy lacks it
    @property
    def ratio(self) -> float:
        """1 when nobody else notices the busy one."""
        return self.others_p99 / self.without_p99


class Run(_Frozen):
    """A whole run. `seconds` is how long it was measured, warming up and checking left out."""

    # An error tells what is wrong, never with what: it could be a secret.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    format: Literal[1] = FORMAT
    scenario: str
    model: Model
    seed: int
    started_at: AwareDatetime
    seconds: PositiveFloat
    commit: str
    machine: Machine
    configuration: dict[str, str] = Field(default_factory=dict)
    """Public settings only; `public` picks them."""
    offered: tuple[Offered, ...] = ()
    """The schedule of an open model; empty for a closed one."""
    operations: tuple[Operation, ...]
    gates: tuple[Gate, ...] = ()
    ledger: Ledger | None = None
    fairness: Fairness | None = None

    @field_validator("configuration")
    @classmethod
    def _no_secret(cls, given: dict[str, str]) -> dict[str, str]:
        """Files of runs are shown around, so a secret in one is refused, not hidden."""
        if kept := set(given) - set(public(given)):
            raise ValueError(f"looks like a secret: {', '.join(sorted(kept))}")
        return given

    @property
    def whole(self) -> Operation:
        """All operations as one."""
        return Operation(
            name=ALL,
            requests=sum(o.requests for o in self.operations),
            failures=sum(o.failures for o in self.operations),
            times=Histogram.merged(o.times for o in self.operations),
        )

    @property
    def throughput(self) -> float:
        """Answers a second that were right."""
        whole = self.whole
        return (whole.requests - whole.failures) / self.seconds

    @property
    def passed(self) -> bool:
        """Every gate was reached and every acknowledged write is there."""
        return all(g.passed for g in self.gates) and (self.ledger is None or self.ledger.balanced)

    @property
    def named(self) -> str:
        """A name for its folder: by scenario and time, sorted by time within a scenario."""
        return f"{self.scenario}-{_stamp(self.started_at)}"


def public(settings: Mapping[str, str]) -> dict[str, str]:
    """Those of these settings that may be shown, judged by their names and values."""
    return {
        name: value
        for name, value in settings.items()
        if not _SECRET_NAME.search(name) and not _SECRET_VALUE.search(value)
    }


def _stamp(when: datetime) -> str:
    return when.strftime("%Y%m%dT%H%M%S")
