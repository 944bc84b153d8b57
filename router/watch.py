"""What is kept of each request: its place in the figures, and its line in the log.

A request is only noted when it ends, by the few values that are told of it: what it had is let go,
for the next one to lie where it lay. It is counted, and its line made, together with others, a few
times a second or when somebody reads the figures. Behind a request the processor's caches hold
nothing of such code, so that alone it takes several times as long as one behind the other.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Final, Protocol

from starlette.types import Scope

from router.context import RequestContext
from router.figures import RequestFigures
from services.exposition.family import Family
from services.logs.requests import Answered, RequestLog
from services.trace_settings import TraceSettings

_GATHER_SECONDS: Final = 0.2
_MOST: Final = 100
"""Told together: they keep requests waiting for half a millisecond."""
UNROUTED = "none"
"""Of addresses that are no operation of the API: unknown ones, documentation, health."""


class Traces(Protocol):
    """Makes spans of requests; see `router.tracing`."""

    def tell(self, scope: Scope, context: RequestContext, route: str) -> None:
        """Make the spans of a request that is over."""

    def close(self) -> None:
        """Send what is still to be sent."""


class Watch:
    """Looks at every request of a worker once it is answered."""

    def __init__(
        self, log: RequestLog | None = None, make_traces: Callable[[], Traces] | None = None
    ) -> None:
        self.running = 0
        """Requests that are served now."""
        self._figures = RequestFigures()
        self._log = log
        self._make_traces = make_traces
        self._traces: Traces | None = None
        self._ended: list[Answered] = []
        self._due = False

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make spans, too, until the block ends; then write what is still to be written.

        Spans are sent by a thread, and workers are forked from a process that has one thread: so
        it begins here, in the worker.
        """
        if self._make_traces is not None:
            self._traces = self._make_traces()
        try:
            yield
        finally:
            self.catch_up()
            if self._traces is not None:
                self._traces.close()

    def begins(self, context: RequestContext) -> None:
        """Keep what will be told of the request."""
        if self._traces is not None:
            context.spent.spans = []

    def answered(self, scope: Scope, context: RequestContext) -> None:
        """The request is over: it will be counted, and its line written if it gets one."""
        if not context.status:
            context.answer(0)
        self._ended.append(_answer(scope, context))
        if self._traces is not None:
            self._traces.tell(scope, context, _route(scope))
        if self._log is not None and not self._due:
            self._tell_soon(self._log)
        if len(self._ended) == _MOST:
            self.catch_up()

    def catch_up(self) -> None:
        """Count what has ended, and write its lines."""
        ended, self._ended = self._ended, []
        for one in ended:
            self._figures.count(one.route, one.status, one.seconds, one.problem)
        if self._log is not None:
            self._log.tell(ended)

    def families(self) -> Iterator[Family]:
        """The figures, as Prometheus reads them."""
        self.catch_up()
        yield from self._figures.families(self.running)

    def _tell_soon(self, log: RequestLog) -> None:
        if log.waits:
            self._due = True
            asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._tell_now)
        else:
            self.catch_up()

    def _tell_now(self) -> None:
        self._due = False
        self.catch_up()


def traces_of(settings: TraceSettings) -> Callable[[], Traces] | None:
    """How to make what makes spans, where somebody wants them. Nothing is opened here.

    Raises:
        ModuleNotFoundError: they are wanted, and the extra `traces` is not installed.
    """
    if settings.endpoint is None:
        return None
    # Imported by name, so that who traces nothing pays nothing, and needs no package for it.
    return partial(import_module("router.tracing").OtelTraces, settings)


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "operation_id", None) or UNROUTED


def _answer(scope: Scope, context: RequestContext) -> Answered:
    # By position: names take as long again.
    return Answered(
        time.time(),
        context.about.request_id,
        context.own_id,
        _route(scope),
        scope["method"],
        context.status,
        context.seconds,
        context.about.client_id,
        context.spent.cluster,
        context.problem,
        context.server_timing,
    )
