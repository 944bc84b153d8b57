"""What a process counts while it works with a cluster: how long, how often, what failed. Pure.

Counting is on the path of every request, so it is an addition to a number that one event loop
owns: no lock, no text, no look-up by label. Whoever is asked for figures makes text of it.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from global_db.errors import ClusterError

WORK_BOUNDS = (0.01, 0.1, 1.0)
"""Seconds; few, since there are as many counts for each shard and role."""
_AT_ONCE: Final = 100


class Histogram:
    """Durations in seconds, counted by the least upper bound that holds them.

    Only noted at first, and counted a hundred at a time, or when somebody looks: behind a request
    the processor's caches hold nothing of this, and finding a place alone takes ten times as long.
    """

    __slots__ = ("_counts", "_noted", "_seconds", "bounds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self._counts = [0] * (len(self.bounds) + 1)
        self._seconds = 0.0
        self._noted: list[float] = []

    def observe(self, seconds: float) -> None:
        """Count one."""
        self._noted.append(seconds)
        if len(self._noted) == _AT_ONCE:
            self._count()

    @property
    def counts(self) -> Sequence[int]:
        """How many there are for each bound; the last one is of what is longer than every bound."""
        self._count()
        return self._counts

    @property
    def seconds(self) -> float:
        """Of all together."""
        self._count()
        return self._seconds

    def _count(self) -> None:
        for seconds in self._noted:
            self._counts[bisect_left(self.bounds, seconds)] += 1
            self._seconds += seconds
        self._noted.clear()


def _work() -> Histogram:
    return Histogram(WORK_BOUNDS)


@dataclass(slots=True)
class ClusterTally:
    """Counts of one cluster since the process started, whatever servers it had meanwhile."""

    primary: Histogram = field(default_factory=_work)
    """How long a connection to the primary was held for one piece of work."""
    replica: Histogram = field(default_factory=_work)
    pool_seconds: float = 0.0
    """Spent waiting for a connection."""
    failures: Counter[type[ClusterError]] = field(default_factory=Counter)

    def worked(self, asked: float, lent: float, *, on_replica: bool) -> None:
        """Count one piece of work that ends now: when its connection was asked for, and lent."""
        self.pool_seconds += lent - asked
        (self.replica if on_replica else self.primary).observe(time.perf_counter() - lent)

    def by_role(self) -> tuple[tuple[str, Histogram], ...]:
        """Work on the primary, and on replicas."""
        return (("primary", self.primary), ("replica", self.replica))

    def failed(self, error: ClusterError) -> ClusterError:
        """Count a failure, and give it back to be raised."""
        self.failures[type(error)] += 1
        return error
