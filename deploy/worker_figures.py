"""What a worker tells Prometheus: its jobs, the fleet as it found it, and its connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Final

from deploy.worker import JobTally, Worker
from services import metrics
from services.exposition.family import CONTENT_TYPE, Family, counter, gauge, text
from services.fleet.figures import FleetFigures
from services.metrics_settings import MetricsSettings
from services.resources import Resources

_PATIENCE_SECONDS: Final = 5.0
_LONGEST_HEAD: Final = 16 * 1024
_CALLERS_FAULTS: Final = (
    TimeoutError,
    OSError,
    asyncio.IncompleteReadError,
    asyncio.LimitOverrunError,
)


def figures(resources: Resources, worker: Worker, fleet: FleetFigures) -> list[Family]:
    """All figures of a worker, as they are now."""
    return [
        *_jobs(sorted(worker.tallies.items())),
        *fleet.families(),
        *metrics.figures(resources),
    ]


def _jobs(tallies: Iterable[tuple[str, JobTally]]) -> Iterator[Family]:
    known = [({"job": name}, tally) for name, tally in tallies]
    yield counter(
        "docshard_job_runs_total",
        "Runs of timed jobs, by how they ended.",
        [({**job, "outcome": "done"}, tally.runs) for job, tally in known]
        + [({**job, "outcome": "failed"}, tally.failures) for job, tally in known],
    )
    yield counter(
        "docshard_job_seconds_total",
        "How long runs took that did not fail.",
        ((job, round(tally.seconds, 3)) for job, tally in known),
    )
    yield gauge(
        "docshard_job_succeeded_timestamp_seconds",
        "When a job last ended well here.",
        ((job, round(tally.succeeded_at, 3)) for job, tally in known if tally.succeeded_at),
        "max",
    )


@asynccontextmanager
async def figures_page(
    settings: MetricsSettings, tell: Callable[[], Iterable[Family]]
) -> AsyncIterator[int | None]:
    """Answer `GET /metrics` on the worker's port until the block ends; gives that port.

    No more of HTTP than Prometheus needs: one request a connection, within seconds.
    """
    if settings.port is None:
        yield None
        return

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(*_CALLERS_FAULTS):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(_answer(head, tell))
                    await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, settings.host, settings.port, limit=_LONGEST_HEAD)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _answer(head: bytes, tell: Callable[[], Iterable[Family]]) -> bytes:
    wanted = head.split(b"\r\n", 1)[0].split(b"?", 1)[0].split(b" ")[:2]
    if wanted != [b"GET", b"/metrics"]:
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    page = text(tell())
    return (
        f"HTTP/1.1 200 OK\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {len(page)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + page
