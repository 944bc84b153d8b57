"""Spans of requests, made when a request is over from what was kept of it.

The only module that imports OpenTelemetry's SDK, and only imported where traces are wanted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

from router.context import RequestContext
from services.trace_settings import TraceSettings

_PROPAGATOR = TraceContextTextMapPropagator()


class OtelTraces:
    """Sends spans to `exporter`, or to where the settings say."""

    def __init__(self, settings: TraceSettings, exporter: SpanExporter | None = None) -> None:
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.share)),
            resource=Resource.create({"service.name": "docshard-router"}),
        )
        sends = exporter or OTLPSpanExporter(endpoint=str(settings.endpoint))
        self._provider.add_span_processor(BatchSpanProcessor(sends))
        self._tracer = self._provider.get_tracer("docshard")

    def tell(self, scope: Scope, context: RequestContext, route: str) -> None:
        """Make the spans of a request that is over."""
        # What was measured by one clock is told by another: both are read at one moment.
        clock = _Clock(time.time_ns(), time.perf_counter())
        span = self._tracer.start_span(
            f"{scope['method']} {getattr(scope.get('route'), 'path', route)}",
            _PROPAGATOR.extract(_carrier(scope)),
            SpanKind.SERVER,
            _attributes(scope, context, route),
            start_time=clock.at(context.started),
        )
        if span.is_recording():
            self._children(span, context, route, clock)
            if context.status >= 500:
                span.set_status(Status(StatusCode.ERROR))
        span.end(clock.now_ns)

    def close(self) -> None:
        """Send what is still to be sent."""
        self._provider.shutdown()

    def _children(self, span: Span, context: RequestContext, route: str, clock: _Clock) -> None:
        kept = context.spent.spans or []
        began = max((one.ended for one in kept if one.name == "auth"), default=context.started)
        within = trace.set_span_in_context(span)
        service = self._tracer.start_span(route, within, start_time=clock.at(began))
        for one in kept:
            parent = trace.set_span_in_context(service) if one.began >= began else within
            self._child(
                one.name, parent, one.attributes, (clock.at(one.began), clock.at(one.ended))
            )
        service.end(clock.now_ns)

    def _child(
        self, name: str, parent: Context, attributes: Mapping[str, str], times: tuple[int, int]
    ) -> None:
        kind = SpanKind.CLIENT if name == "sql" else SpanKind.INTERNAL
        child = self._tracer.start_span(name, parent, kind, attributes, start_time=times[0])
        child.end(times[1])


class _Clock:
    """Turns seconds of `time.perf_counter` into nanoseconds since 1970."""

    def __init__(self, now_ns: int, now: float) -> None:
        self.now_ns = now_ns
        self._now = now

    def at(self, moment: float) -> int:
        return self.now_ns - round((self._now - moment) * 1e9)


def _carrier(scope: Scope) -> dict[str, str]:
    wanted = (b"traceparent", b"tracestate")
    return {
        name.decode("ascii"): value.decode("latin-1")
        for name, value in scope["headers"]
        if name in wanted
    }


def _attributes(scope: Scope, context: RequestContext, route: str) -> dict[str, str | int]:
    known: dict[str, str | int | None] = {
        "http.request.method": scope["method"],
        "http.route": getattr(scope.get("route"), "path", None),
        "http.response.status_code": context.status,
        "docshard.operation": route,
        "docshard.request_id": context.request_id,
        "docshard.shard": context.spent.cluster,
        "error.type": context.problem,
    }
    if context.about.client_id is not None:
        known["docshard.client_id"] = str(context.about.client_id)
    return {name: value for name, value in known.items() if value is not None}
