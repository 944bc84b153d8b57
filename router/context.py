"""What the edge knows about one request while it runs."""

import time
from dataclasses import dataclass, field
from math import ceil

from starlette.types import Scope

from services.served import Served, stalest

SCOPE_KEY = "docshard"


@dataclass(slots=True)
class RequestContext:
    """Identity and stopwatch of one request; headers of the answer are made from it."""

    request_id: str
    started: float = field(default_factory=time.perf_counter)
    timings: dict[str, float] = field(default_factory=dict)
    """Milliseconds by part, for Server-Timing."""
    served: list[Served] = field(default_factory=list)
    """Who answered each read of a tenant, for Served-By."""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """More headers for the answer, whatever it will be."""

    def answer_with(self, name: str, value: str) -> None:
        """Add a header to the answer."""
        self.headers.append((name.lower().encode("ascii"), value.encode("latin-1")))

    def served_by(self) -> list[tuple[bytes, bytes]]:
        """Served-By and Replica-Lag-Ms, when something was read."""
        if not self.served:
            return []
        told = stalest(self.served)
        found = [(b"served-by", told.by.encode("ascii"))]
        if told.lag_seconds is not None:
            found.append((b"replica-lag-ms", str(ceil(told.lag_seconds * 1000)).encode("ascii")))
        return found

    def server_timing(self) -> bytes:
        """The Server-Timing header: each part, and `total` up to the first byte of the answer."""
        total = (time.perf_counter() - self.started) * 1000
        parts = [f"{name};dur={spent:.2f}" for name, spent in self.timings.items()]
        return ", ".join([*parts, f"total;dur={total:.2f}"]).encode("ascii")


def context_of(scope: Scope) -> RequestContext:
    """Give the context that the outermost middleware attached."""
    context = scope[SCOPE_KEY]
    if not isinstance(context, RequestContext):
        raise TypeError("the request did not pass the edge middleware")
    return context
