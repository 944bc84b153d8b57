"""What is kept of each request: its place in the figures, and its line in the log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Protocol

from starlette.types import Scope

from router.context import RequestContext
from router.figures import RequestFigures
from services.logs.requests import Answered, RequestLog
from services.trace_settings import TraceSettings

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
        self.figures = RequestFigures()
        self._log = log
        self._make_traces = make_traces
        self._traces: Traces | None = None

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
            self._close()

    def begins(self, context: RequestContext) -> None:
        """Keep what will be told of the request."""
        if self._traces is not None:
            context.spent.spans = []

    def answered(self, scope: Scope, context: RequestContext) -> None:
        """Count the request, and write its line if it gets one."""
        if not context.status:
            context.answer(0)
        status, seconds = context.status, context.seconds
        route = getattr(scope.get("route"), "operation_id", None) or UNROUTED
        self.figures.answered(route, status, seconds, context.problem)
        if self._log is not None and self._log.wants(status, seconds):
            # Whose work was done last is taken now: tasks that the request left behind work on.
            shard = context.spent.cluster
            self._log.tell(partial(_describe, scope["method"], route, shard, context))
        if self._traces is not None:
            self._traces.tell(scope, context, route)

    def _close(self) -> None:
        if self._log is not None:
            self._log.flush()
        if self._traces is not None:
            self._traces.close()


def traces_of(settings: TraceSettings) -> Callable[[], Traces] | None:
    """How to make what makes spans, where somebody wants them. Nothing is opened here.

    Raises:
        ModuleNotFoundError: they are wanted, and the extra `traces` is not installed.
    """
    if settings.endpoint is None:
        return None
    # Imported by name, so that who traces nothing pays nothing, and needs no package for it.
    return partial(import_module("router.tracing").OtelTraces, settings)


def _describe(method: str, route: str, shard: str | None, context: RequestContext) -> Answered:
    return Answered(
        request_id=context.request_id,
        own_id=context.own_id,
        route=route,
        method=method,
        status=context.status,
        seconds=context.seconds,
        client_id=context.about.client_id,
        shard=shard,
        problem=context.problem,
        server_timing=context.server_timing.decode("ascii"),
    )
