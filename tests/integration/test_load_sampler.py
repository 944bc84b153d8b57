"""The sampler beside a load, on real processes and over HTTP."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from deploy.local.waiting import awaited
from loadtests.runs.folder import RunFolder
from loadtests.sampling.processes import HOME_MARK, PART_MARK, Processes, Used
from loadtests.sampling.watch import Watched, sampled

PATIENCE = 60.0
FIGURES = b"""# HELP docshard_replica_lag_seconds told
docshard_replica_lag_seconds{shard="shard-1"} 0.25
docshard_pool_wait_seconds_total{shard="shard-1"} 3
"""
EXPECTED = (
    *(",cpu_percent,router-1,", ",memory_bytes,load,"),
    *(",lag_seconds,shard-1,0.25", ",pool_wait_seconds,shard-1,0"),
)
CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'], env={})"


@contextmanager
def part(home: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A marked process with a child that has lost the mark, as PostgreSQL's have."""
    marks = {HOME_MARK: str(home), PART_MARK: name}
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, env=marks
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_children_count_with_their_part(tmp_path: Path) -> None:
    watched = Processes(tmp_path, {os.getpid(): "load"})
    with part(tmp_path, "shard-1-primary"), part(tmp_path / "other", "elsewhere"):
        # It is starting: that takes processor time.
        assert awaited(lambda: watched.look().get("shard-1-primary", Used(0, 0)).cpu > 0, PATIENCE)
        found = watched.look()
    assert set(found) == {"load", "shard-1-primary"}
    assert found["load"].memory > 1 << 20
    assert found["shard-1-primary"].memory > 1 << 20


class Router(BaseHTTPRequestHandler):
    """A router's page of figures, and nothing else of a router."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/metrics" else 404)
        self.send_header("Content-Length", str(len(FIGURES)))
        self.end_headers()
        self.wfile.write(FIGURES)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def router() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Router) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_the_sampler_writes_seconds_until_the_load_ends(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.begin()
    with router() as address, part(tmp_path, "router-1"):
        watched = Watched(tmp_path, (address, "http://127.0.0.1:1"), {os.getpid(): "load"})
        with sampled(folder, datetime.now(UTC), watched):
            assert awaited(lambda: not missing(folder), PATIENCE), missing(folder)


def missing(folder: RunFolder) -> list[str]:
    written = folder.seconds_file.read_text()
    return [value for value in EXPECTED if value not in written]
