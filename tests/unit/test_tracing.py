"""Spans of requests: whose child each is, and that nothing is paid where nobody wants them."""

import subprocess
import sys
import threading
import time

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from pydantic import HttpUrl

from global_db.timing import collect, measured, note_statement, note_work
from router.context import RequestContext
from router.tracing import OtelTraces
from router.watch import Watch, traces_of
from services.logs.about import About
from services.trace_settings import TraceSettings

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SCOPE: dict[str, object] = {
    "type": "http",
    "method": "GET",
    "headers": [(b"traceparent", PARENT.encode())],
}


def traced(share: float, scope: dict[str, object], status: int = 200) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    traces = OtelTraces(TraceSettings(share=share), exporter)
    watch = Watch(make_traces=lambda: traces)
    with watch.opened():
        context = RequestContext(About("r-1"))
        watch.begins(context)
        collect(context.spent)
        with measured("auth"):
            pass
        began = time.perf_counter()
        note_statement("SELECT 1 FROM t WHERE id = %(id)s", began)
        note_work("shard-1", began, began)
        context.answer(status)
        watch.answered(scope, context)
    return exporter


def test_http_then_service_then_sql() -> None:
    spans = {one.name: one for one in traced(1, SCOPE, 503).get_finished_spans()}
    server, service, sql = spans["GET none"], spans["none"], spans["sql"]
    assert server.kind is SpanKind.SERVER
    assert server.parent is not None
    assert server.parent.span_id == 0xB7AD6B7169203331
    assert server.status.status_code is StatusCode.ERROR
    assert (server.attributes or {})["docshard.request_id"] == "r-1"
    assert service.parent == server.context
    assert sql.parent == spans["db"].parent == spans["pool"].parent == service.context
    assert spans["auth"].parent == server.context
    assert (sql.attributes or {})["db.query.text"] == "SELECT 1 FROM t WHERE id = %(id)s"
    assert server.start_time is not None
    assert service.start_time is not None
    assert server.start_time <= service.start_time


def test_the_share_decides_where_the_caller_does_not() -> None:
    alone = {**SCOPE, "headers": []}
    assert traced(0, alone).get_finished_spans() == ()
    assert traced(1, alone).get_finished_spans() != ()
    assert traced(0, SCOPE).get_finished_spans() != ()


def test_nothing_is_imported_where_nothing_is_traced() -> None:
    assert traces_of(TraceSettings()) is None
    # The bare API of OpenTelemetry is FastAPI's own import.
    code = "import sys, router.app; sys.exit('opentelemetry.sdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_endpoint_turns_it_on_once_the_worker_runs() -> None:
    """Until then there is no thread, which would not come along into a forked worker."""
    threads = threading.active_count()
    make = traces_of(TraceSettings(endpoint=HttpUrl("http://127.0.0.1:9/v1/traces")))
    watch = Watch(make_traces=make)
    assert threading.active_count() == threads
    with watch.opened():
        assert threading.active_count() == threads + 1
    assert threading.active_count() == threads
