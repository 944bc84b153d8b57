"""What one worker counts of requests: by route, by status, by the code of a problem.

A route is named by its operationId: there are as many as the API has operations. What matches none
is `none`, however it was spelt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from services.exposition.family import Family, Histogram, counter, gauge, histogram

BOUNDS: Final = (0.025, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Seconds; objectives are among them."""
_GONE: Final = "gone"
_STATUSES: Final = (_GONE, "1xx", "2xx", "3xx", "4xx", "5xx")


@dataclass(slots=True)
class _Route:
    """Counts of one route. `statuses` are by the first digit, 0 for callers that went away."""

    statuses: list[int] = field(default_factory=lambda: [0] * len(_STATUSES))
    seconds: Histogram = field(default_factory=lambda: Histogram(BOUNDS))


class RequestFigures:
    """The counts of one worker since it started."""

    def __init__(self) -> None:
        self._routes: dict[str, _Route] = {}
        self._problems: Counter[str] = Counter()

    def count(self, route: str, status: int, seconds: float, problem: str | None) -> None:
        """Count one answer, and how long its first byte took; status 0: nobody waited for it."""
        counts = self._routes.get(route)
        if counts is None:
            counts = self._routes[route] = _Route()
        counts.statuses[status // 100] += 1
        counts.seconds.observe(seconds)
        if problem is not None:
            self._problems[problem] += 1

    def families(self, running: int) -> Iterator[Family]:
        """As Prometheus reads them; `running` requests are served now."""
        yield counter(
            "docshard_requests_total",
            "Answers, by operation and the first digit of their status.",
            (
                ({"route": name, "status": status}, number)
                for name, route in self._routes.items()
                for status, number in zip(_STATUSES, route.statuses, strict=True)
                if number
            ),
        )
        yield histogram(
            "docshard_request_seconds",
            "From the request's headers to the first byte of the answer.",
            (({"route": name}, route.seconds) for name, route in self._routes.items()),
        )
        yield counter(
            "docshard_problems_total",
            "Answers that were problems, by code.",
            (({"code": code}, number) for code, number in self._problems.items()),
        )
        yield gauge("docshard_requests_running", "Requests that are served now.", [({}, running)])
