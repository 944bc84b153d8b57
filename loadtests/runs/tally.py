"""Counts answers as they come, as a whole and second by second. For one thread or event loop."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from loadtests.histogram import Histogram
from loadtests.runs.moments import Series, Value
from loadtests.runs.record import ALL, Failure, Operation

MOST_KINDS = 20
"""Kinds of failures told apart for each operation; what comes later counts as `other`."""

_MARKS = {Series.P50: 0.5, Series.P90: 0.9, Series.P95: 0.95, Series.P99: 0.99}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of this operation that came at this second after the start of the run."""

    operation: str
    second: float
    microseconds: int
    error: str | None = None


@dataclass(slots=True)
class _Counted:
    times: Histogram = field(default_factory=Histogram)
    failures: int = 0

    def count(self, answer: Answer) -> None:
        self.times.record(answer.microseconds)
        self.failures += answer.error is not None


@dataclass(slots=True)
class Tally:
    """All answers of a run; seconds are kept until `take_seconds` takes them."""

    _whole: dict[str, _Counted] = field(default_factory=dict)
    _errors: dict[str, dict[str, int]] = field(default_factory=dict)
    _seconds: dict[int, dict[str, _Counted]] = field(default_factory=dict)
    _offered: dict[int, int] = field(default_factory=dict)

    def offer(self, second: float) -> None:
        """A request is due at this second, whether it can be sent then or not."""
        self._offered[int(second)] = self._offered.get(int(second), 0) + 1

    def count(self, answer: Answer) -> None:
        """One answer, right or failed."""
        name = answer.operation
        self._whole.setdefault(name, _Counted()).count(answer)
        self._seconds.setdefault(int(answer.second), {}).setdefault(name, _Counted()).count(answer)
        if answer.error is not None:
            kinds = self._errors.setdefault(name, {})
            kind = answer.error if answer.error in kinds or len(kinds) < MOST_KINDS else "other"
            kinds[kind] = kinds.get(kind, 0) + 1

    def operations(self) -> tuple[Operation, ...]:
        """Everything counted until now, by operation, sorted by name."""
        return tuple(self._operation(name) for name in sorted(self._whole))

    def take_seconds(self, before: float) -> Iterator[Value]:
        """The values of all seconds that were over before this one, and forget them."""
        for second in sorted(s for s in self._offered if s + 1 <= before):
            yield Value(second, Series.OFFERED, "", self._offered.pop(second))
        for second in sorted(s for s in self._seconds if s + 1 <= before):
            yield from _values(second, self._seconds.pop(second))

    def _operation(self, name: str) -> Operation:
        counted = self._whole[name]
        errors = sorted(self._errors.get(name, {}).items(), key=lambda item: (-item[1], item[0]))
        return Operation(
            name=name,
            requests=counted.times.total,
            failures=counted.failures,
            errors=tuple(Failure(error=error, seen=seen) for error, seen in errors),
            times=counted.times,
        )


def _values(second: int, counted: dict[str, _Counted]) -> Iterator[Value]:
    whole = _Counted(Histogram.merged(c.times for c in counted.values()))
    whole.failures = sum(c.failures for c in counted.values())
    for name, one in ({**counted, ALL: whole}).items():
        yield Value(second, Series.REQUESTS, name, one.times.total)
        yield Value(second, Series.FAILURES, name, one.failures)
        for series, part in _MARKS.items():
            yield Value(second, series, name, one.times.percentile(part) / 1000)
        yield Value(second, Series.MAX, name, one.times.largest / 1000)
