"""What the edge knows about one request while it runs."""

import time
from dataclasses import dataclass, field
from math import ceil

from starlette.types import Scope

from services.logs.about import About
from services.served import Served, stalest
from services.timing import Spent

SCOPE_KEY = "docshard"


@dataclass(slots=True)
class RequestContext:
    """Identity and stopwatch of one request; headers of the answer, figures and the line in the log
    are made from it."""

    about: About
    own_id: bool = True
    """Whether we named the request, and not its caller."""
    started: float = field(default_factory=time.perf_counter)
    spent: Spent = field(default_factory=Spent)
    """By part, for Server-Timing."""
    served: list[Served] = field(default_factory=list)
    """Who answered each read of a tenant, for Served-By."""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """More headers for the answer, whatever it will be."""
    problem: str | None = None
    """The code, when the answer is a problem."""
    status: int = 0
    """Of the answer, once it began."""
    seconds: float = 0.0
    """Of ours, until the answer began: less what the caller let us wait."""
    server_timing: bytes = b""
    """The header: each part, and `total` up to the first byte of the answer."""

    @property
    def request_id(self) -> str:
        """As the answer and every line of the log name it."""
        return self.about.request_id

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

    def answer(self, status: int) -> None:
        """The answer begins, or nobody waits for it any more: the stopwatch is read."""
        total = time.perf_counter() - self.started
        parts = [f"{name};dur={spent:.2f}" for name, spent in self.spent.milliseconds.items()]
        self.server_timing = ", ".join([*parts, f"total;dur={total * 1000:.2f}"]).encode("ascii")
        self.status, self.seconds = status, total - self.spent.waited_seconds


def context_of(scope: Scope) -> RequestContext:
    """Give the context that the outermost middleware attached."""
    context = scope[SCOPE_KEY]
    if not isinstance(context, RequestContext):
        raise TypeError("the request did not pass the edge middleware")
    return context
