"""What the generator is told, and what it hands back. Both are files between two processes."""

from collections import Counter
from enum import StrEnum

from pydantic import BaseModel, Field

from loadtests.crowd import Group
from loadtests.histogram import Histogram
from loadtests.ledger import Entry
from loadtests.runs.record import Operation
from loadtests.scenario import Scenario
from loadtests.tenants import Tenant


class Plan(BaseModel):
    """A run: scenario, tenants (the busiest first) and the seed of every choice."""

    run_id: str
    """Marks the run's documents."""
    seed: int
    scenario: Scenario
    tenants: tuple[Tenant, ...]
    workers: int = 1
    """Generators that share the load."""


class Outcome(StrEnum):
    """How a call ended."""

    RIGHT = "right"
    REFUSED = "refused"
    """429 or 503: the contract allows it, the scenario may not."""
    BROKEN = "broken"
    """5xx otherwise, or no answer."""
    WRONG = "wrong"
    """Not what the contract promises. No scenario allows it."""


class Figures(BaseModel):
    """What one group felt in one phase; by intended start."""

    offered: int = 0
    """Calls that were due; in the closed model those that were made."""
    right: int = 0
    overflow: int = 0
    """Arrivals that could not begin, because too many were under way."""
    times: Histogram = Field(default_factory=Histogram)


class PhaseFigures(BaseModel):
    """Figures of a phase, by group."""

    groups: dict[Group, Figures] = Field(default_factory=dict)

    def of(self, group: Group) -> Figures:
        """Those of a group; made when there are none."""
        return self.groups.setdefault(group, Figures())


class Measured(BaseModel):
    """All that the generator counted."""

    started_at: float
    """Seconds since 1970."""
    seconds: float
    operations: tuple[Operation, ...]
    outcomes: Counter[Outcome]
    phases: list[PhaseFigures]
    last_fault: float | None = None
    """Second of the last refused or broken call."""
    entries: list[Entry] = Field(default_factory=list)
    generators_lost: int = 0
    """Workers of the distributed mode that never said their last: their writes are not known."""

    @property
    def answers(self) -> int:
        """Calls that ended, however."""
        return self.outcomes.total()

    @property
    def offered(self) -> int:
        """Calls that were due."""
        return sum(f.offered for phase in self.phases for f in phase.groups.values())

    @property
    def overflow(self) -> int:
        """Arrivals that could not begin."""
        return sum(f.overflow for phase in self.phases for f in phase.groups.values())


class Told(BaseModel):
    """What the generator says while it works, one line each second; the first has `started_at`."""

    second: int
    started_at: float
    phase: str
    under_way: int
    """Users, or arrivals that were begun and have not ended."""
    answers: int
    failed: int
    overflow: int
    """All three since the start."""
    p99_ms: float
    """Of the answers of the last second."""
