"""What a run measured, and the table of it. Pure."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

from pydantic import BaseModel, ConfigDict

COLUMNS = ("operation", "requests", "per s", "failed", "p50", "p90", "p95", "p99", "max")
_PERCENTILES = (0.5, 0.9, 0.95, 0.99)


class Operation(BaseModel):
    """One operation's counts; times are in milliseconds."""

    model_config = ConfigDict(frozen=True)

    name: str
    requests: int
    failures: int
    slowest: float
    times: dict[int, int]
    """Answers by time, as locust counts them: exact below 100 ms, then in steps of 10 and 100."""


class Failure(BaseModel):
    """A kind of failure and how often it was seen."""

    model_config = ConfigDict(frozen=True)

    operation: str
    error: str
    seen: int


class Results(BaseModel):
    """A whole run."""

    model_config = ConfigDict(frozen=True)

    seconds: float
    operations: tuple[Operation, ...]
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        """No failure, and something was measured: an idle run proves nothing."""
        return not self.failures and any(o.requests for o in self.operations)


def percentile(times: Mapping[int, int], part: float) -> int:
    """The time within which this part of the answers came. 0 without answers."""
    ordered = sorted(times)
    wanted = part * sum(times.values())
    reached = accumulate(times[time] for time in ordered)
    return next((t for t, seen in zip(ordered, reached, strict=True) if seen >= wanted), 0)


def table(results: Results) -> str:
    """An aligned table of every operation and their sum; times in milliseconds."""
    operations = sorted(results.operations, key=lambda operation: operation.name)
    rows = [_row(operation, results.seconds) for operation in [*operations, _sum(operations)]]
    return aligned([COLUMNS, *rows])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns of text, the first one left and the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _row(operation: Operation, seconds: float) -> tuple[str, ...]:
    marks = (percentile(operation.times, part) for part in _PERCENTILES)
    return (
        operation.name,
        f"{operation.requests:,}",
        f"{operation.requests / seconds:,.1f}" if seconds else "-",
        f"{operation.failures:,}",
        *map(str, marks),
        f"{operation.slowest:.0f}",
    )


def _sum(operations: Sequence[Operation]) -> Operation:
    times: dict[int, int] = {}
    for operation in operations:
        for time, seen in operation.times.items():
            times[time] = times.get(time, 0) + seen
    return Operation(
        name="all",
        requests=sum(o.requests for o in operations),
        failures=sum(o.failures for o in operations),
        slowest=max((o.slowest for o in operations), default=0),
        times=times,
    )
