"""What all processes of this router did of late, out of their common page of figures. Pure.

Each process counts its own requests and its own work with the databases, and any of them has the
page with everybody's sum. What the others counted is up to five seconds old there, so rates are of
half a minute, and a look more often would see the same.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from router.figures_page import WRITE_SECONDS
from services.exposition.family import Family, parsed

SPAN_SECONDS: Final = 30.0
_APART: Final[Mapping[str, str]] = {
    "docshard_db_failures_total": "kind",
    "docshard_db_seconds_count": "role",
    "docshard_pool_size": "",
    "docshard_pool_used": "",
    "docshard_pool_wait_seconds_total": "",
    "docshard_processes": "",
    "docshard_requests_total": "status",
}
"""The figures that are shown, and the label besides the shard that tells them apart."""
_FAMILIES: Final = frozenset(_APART) | {"docshard_db_seconds"}

_Key = tuple[str, str, str]
_Sums = Mapping[_Key, float]


@dataclass(frozen=True, slots=True)
class ClusterWork:
    """What a router does with a cluster: pieces of work a second by the role of the server, and
    those that failed by kind; `wait_ms` for a connection, on average. Connections as they are now.
    """

    primary: float
    replicas: float
    failures: Mapping[str, float]
    wait_ms: float
    used: int
    most: int

    @property
    def worked(self) -> float:
        """On all its servers."""
        return self.primary + self.replicas

    @property
    def failed(self) -> float:
        """Of all kinds."""
        return sum(self.failures.values())


@dataclass(frozen=True, slots=True)
class RouterWork:
    """What a router does: answers a second, `failed` those that began with 5, and its clusters."""

    processes: int
    answers: float
    failed: float
    clusters: Mapping[str, ClusterWork]


class RouterMeter:
    """Remembers looks at the page of figures for as long as rates are of."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, _Sums]] = deque()
        self.work: RouterWork | None = None
        """None: there was one look only, or none."""

    def due(self, at: float) -> bool:
        """Whether a look would see something new; `at` in seconds of this process's clock."""
        return not self._looks or at - self._looks[-1][0] >= WRITE_SECONDS

    def seen(self, at: float, families: Iterable[Family]) -> None:
        """Add a look at the page."""
        while self._looks and at - self._looks[0][0] > SPAN_SECONDS:
            self._looks.popleft()
        now = _sums(families)
        self._looks.append((at, now))
        began, before = self._looks[0]
        self.work = _work(before, now, at - began) if at > began else None


def _sums(families: Iterable[Family]) -> _Sums:
    sums: defaultdict[_Key, float] = defaultdict(float)
    for family in families:
        if family.name not in _FAMILIES:
            continue
        for sample, value in family.samples.items():
            name, labels = parsed(sample)
            if name in _APART:
                sums[name, labels.get("shard", ""), labels.get(_APART[name], "")] += value
    return sums


def _work(before: _Sums, now: _Sums, seconds: float) -> RouterWork:
    # A cluster that leaves takes its counts along: no rate is below none.
    rates = {key: max(0.0, value - before.get(key, 0.0)) / seconds for key, value in now.items()}
    answers = {key[2]: rate for key, rate in rates.items() if key[0] == "docshard_requests_total"}
    return RouterWork(
        processes=round(now.get(("docshard_processes", "", ""), 0)),
        answers=sum(answers.values()),
        failed=answers.get("5xx", 0.0),
        clusters={
            key[1]: _cluster(key[1], rates, now) for key in now if key[0] == "docshard_pool_size"
        },
    )


def _cluster(name: str, rates: Mapping[_Key, float], now: _Sums) -> ClusterWork:
    primary = rates.get(("docshard_db_seconds_count", name, "primary"), 0.0)
    replicas = rates.get(("docshard_db_seconds_count", name, "replica"), 0.0)
    waited = rates.get(("docshard_pool_wait_seconds_total", name, ""), 0.0)
    worked = primary + replicas
    return ClusterWork(
        primary=primary,
        replicas=replicas,
        failures={
            kind: rate
            for (family, shard, kind), rate in rates.items()
            if family == "docshard_db_failures_total" and shard == name and rate
        },
        wait_ms=1000 * waited / worked if worked else 0.0,
        used=round(now.get(("docshard_pool_used", name, ""), 0)),
        most=round(now[("docshard_pool_size", name, "")]),
    )
