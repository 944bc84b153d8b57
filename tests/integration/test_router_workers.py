"""Workers are forked from a process that has loaded everything, and replaced when they end."""

import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest

from deploy.local import ports
from loadtests.bench.start import environment_of_nobody
from tests.acceptance.fleet import until

WORKERS = 3
PATIENCE_SECONDS = 120

TWO_CHILDREN = """
import os
from services.ids import new_id
new_id()
for _ in range(2):
    if os.fork() == 0:
        print(*(new_id().hex for _ in range(50)), flush=True)
        os._exit(0)
    os.wait()
"""


class Collector(BaseHTTPRequestHandler):
    """Takes spans, as a collector of OpenTelemetry does."""

    def do_POST(self) -> None:
        spans: list[bytes] = self.server.spans  # type: ignore[attr-defined]  # of `collecting`
        spans.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def collecting() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a collector, and what was sent there."""
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        spans: list[bytes] = []
        vars(server)["spans"] = spans
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", spans
        server.shutdown()


@pytest.fixture
def spans() -> Iterator[tuple[str, list[bytes]]]:
    """A collector's address, and what it got."""
    with collecting() as found:
        yield found


@pytest.fixture
def port() -> int:
    """Where the router listens."""
    return ports.free()


@pytest.fixture
def router(tmp_path: Path, port: int, spans: tuple[str, list[bytes]]) -> Iterator[psutil.Process]:
    """It serves, though no server of its fleet is there."""
    log = tmp_path / "log"
    with environment_of_nobody() as environment, log.open("wb") as out:
        known = environment | {
            "DOCSHARD_LISTEN_PORT": str(port),
            "DOCSHARD_ROUTER_WORKERS": str(WORKERS),
            "DOCSHARD_TRACES_ENDPOINT": spans[0],
            "DOCSHARD_TRACES_SHARE": "1",
        }
        command = [sys.executable, "-P", "-m", "router"]
        with subprocess.Popen(command, env=known, stdout=out, stderr=out) as process:
            try:
                complete = "Application startup complete"
                until(lambda: log.read_text().count(complete) >= WORKERS, PATIENCE_SECONDS)
                yield psutil.Process(process.pid)
            finally:
                process.kill()


def test_workers_are_replaced_and_none_outlives_the_router(
    router: psutil.Process, port: int, spans: tuple[str, list[bytes]]
) -> None:
    first = router.children()
    assert len(first) == WORKERS
    assert router.num_threads() == 1, "what is forked has one thread"
    # A new interpreter would name the module that it begins with.
    assert [worker.cmdline() for worker in first] == [router.cmdline()] * WORKERS

    def others_than(left: set[psutil.Process]) -> bool:
        now = set(router.children())
        return len(now) == WORKERS and not now & left

    first[1].kill()
    until(lambda: others_than({first[1]}), PATIENCE_SECONDS)
    assert {first[0], first[2]} < set(router.children())
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as answer:
        assert answer.status == 200
    second = set(router.children())
    router.send_signal(signal.SIGHUP)
    until(lambda: others_than(second), PATIENCE_SECONDS)
    router.send_signal(signal.SIGTTIN)
    until(lambda: len(router.children()) == WORKERS + 1, PATIENCE_SECONDS)
    last = router.children()
    # The new one may have no handler of its own yet.
    router.send_signal(signal.SIGTERM)
    assert router.wait(PATIENCE_SECONDS) == 0
    until(lambda: not any(map(psutil.Process.is_running, last)), PATIENCE_SECONDS)
    # Its worker was replaced since, and has sent what it still held before it ended.
    assert b"docshard-router" in b"".join(spans[1])


def test_forked_processes_make_ids_of_their_own() -> None:
    """Even of a process that has made some: chance is not inherited."""
    told = subprocess.run(
        [sys.executable, "-c", TWO_CHILDREN], capture_output=True, text=True, check=True
    )
    ids = [made for line in told.stdout.splitlines() for made in line.split()]
    tails = {made[13:] for made in ids}  # behind the time: what would be equal
    assert (len(ids), len(tails)) == (100, 100)
