"""Locust's distributed mode: workers tell their master of every call, and it alone counts.

So percentiles are of all calls of all machines, which no merging of percentiles would give. Each
machine's seconds begin when it was told to start; they differ by what that word took to arrive.
"""

from dataclasses import dataclass, field
from typing import Any

from loadtests.calls.own import Books
from loadtests.crowd import Group
from loadtests.ledger import Entry
from loadtests.plan import Outcome
from loadtests.recorder import Counting, Ended

_NAME = "docshard"
"""Where in a report of locust's ours lies."""

REPORT_SECONDS = 3.0
"""How often a worker of locust's reports."""


@dataclass
class Forwarder:
    """Keeps what a worker counts until the next report to the master."""

    books: Books
    _offered: list[tuple[float, str]] = field(default_factory=list)
    _overflowed: list[tuple[float, str]] = field(default_factory=list)
    _ended: list[tuple[Any, ...]] = field(default_factory=list)

    def offered(self, due: float, group: Group) -> None:
        """Keep it."""
        self._offered.append((due, group.value))

    def overflowed(self, due: float, group: Group) -> None:
        """Keep it."""
        self._overflowed.append((due, group.value))

    def ended(self, call: Ended) -> None:
        """Keep it."""
        self._ended.append((*call[:3], call.group.value, call[4], call.outcome.value, call.error))

    def report(self, data: dict[str, Any], *, last: bool) -> None:
        """Put it into a report, and forget it. Entries still change, so they come with the last."""
        data[_NAME] = {
            "last": last,
            "offered": self._offered,
            "overflowed": self._overflowed,
            "ended": self._ended,
            "entries": [entry.model_dump() for entry in self.books.entries] if last else [],
        }
        self._offered, self._overflowed, self._ended = [], [], []
        if last:
            self.books.entries = []


def receive(data: dict[str, Any], counting: Counting, books: Books) -> bool:
    """Count what a worker's report says; whether it is the worker's last."""
    told = data.get(_NAME)
    if told is None:
        return False
    for due, group in told["offered"]:
        counting.offered(due, Group(group))
    for due, group in told["overflowed"]:
        counting.overflowed(due, Group(group))
    for operation, due, at, group, milliseconds, outcome, error in told["ended"]:
        counting.ended(
            Ended(operation, due, at, Group(group), milliseconds, Outcome(outcome), error)
        )
    books.entries += [Entry.model_validate(entry) for entry in told["entries"]]
    return bool(told["last"])
