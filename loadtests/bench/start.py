"""What starting costs: `python -m loadtests.bench.start`.

Processes are started in turn, some rounds of each: a bare FastAPI application with one route as the
baseline, a router with one worker process and with two, the worker of timed jobs, and commands.
No database is needed: a router and a worker come up without one. Told are, of the round that took
the least CPU (which the machine's other work disturbs least):

- **CPU** of all its processes and **wall**: seconds until it serves, or a command has ended;
- **ratio**: its CPU against the baseline's;
- **RSS**: memory of its largest process, and **PSS** that of all, shared pages counted once.

Exit status 1 when a goal is missed.
"""

import base64
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click
import psutil

from loadtests.results import aligned

CPU_GOAL, RSS_GOAL_MIB = 1.5, 150
_PATIENCE_SECONDS = 120.0
_LOOK_SECONDS = 0.01
_MIB = 1024**2

_HELLO = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
async def hello() -> dict[str, str]:
    return {"hello": "world"}
uvicorn.run(app, port=0)
"""
_SERVES = "Application startup complete"


@dataclass(frozen=True)
class Subject:
    """Something to start. It is up when its log has said `word` so often; without one it is a
    command, which ends."""

    name: str
    arguments: tuple[str, ...]
    word: str = ""
    times: int = 1
    measured: bool = True
    """Whether the goals are meant for it."""


@dataclass(frozen=True)
class Start:
    """What one start took."""

    cpu_seconds: float
    wall_seconds: float
    largest_mib: float
    all_mib: float


SUBJECTS = (
    Subject("a bare FastAPI", ("-c", _HELLO), _SERVES, measured=False),
    Subject("router, 1 worker", ("-P", "-m", "router"), _SERVES),
    Subject("router, 2 workers", ("-P", "-m", "router"), _SERVES, times=2),
    Subject("worker", ("-P", "-m", "deploy.cli.main", "worker"), "the worker has started"),
    Subject("docshard --help", ("-P", "-m", "deploy.cli.main", "--help")),
    Subject("docshard client list", ("-P", "-m", "deploy.cli.main", "client", "list")),
)


class NeverUp(Exception):
    """A process ended, or was not up in time; its log says why."""


@click.command(help="Measure what starting routers, workers and commands costs.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
def main(rounds: int) -> None:
    """Start them in turn, print."""
    best: dict[str, Start] = {}
    with environment_of_nobody() as environment:
        for _ in range(rounds):
            for subject in SUBJECTS:
                found = measure(subject, environment)
                known = best.get(subject.name, found)
                best[subject.name] = min(found, known, key=lambda one: one.cpu_seconds)
    click.echo(f"Least of {rounds} rounds")
    click.echo(table(best))
    if missed := [one.name for one in SUBJECTS if one.measured and _misses(best[one.name])]:
        goal = f"{CPU_GOAL} s of CPU and {RSS_GOAL_MIB} MiB a process"
        raise click.ClickException(f"the goal is {goal}, missed by: {', '.join(missed)}")


def table(found: Mapping[str, Start]) -> str:
    """One line for each subject; the first is the baseline."""
    baseline = next(iter(found.values())).cpu_seconds
    rows = [
        (
            name,
            f"{one.cpu_seconds:.2f}",
            f"{one.wall_seconds:.2f}",
            f"{one.cpu_seconds / baseline:.2f}",
            f"{one.largest_mib:.0f}" if one.largest_mib else "",
            f"{one.all_mib:.0f}" if one.all_mib else "",
        )
        for name, one in found.items()
    ]
    return aligned([("", "CPU s", "wall s", "ratio", "RSS MiB", "PSS MiB"), *rows])


def measure(subject: Subject, environment: Mapping[str, str]) -> Start:
    """Start it once, and end it.

    Raises:
        NeverUp.
    """
    command = [sys.executable, *subject.arguments]
    known = {**environment, "DOCSHARD_ROUTER_WORKERS": str(subject.times)}
    if not subject.word:
        return _run(command, known)
    with tempfile.TemporaryFile("w+b") as log:
        begun = time.monotonic()
        with subprocess.Popen(  # noqa: S603 - our own interpreter and modules
            command, env=known, stdout=log, stderr=log
        ) as process:
            try:
                _await_up(subject, process, log.fileno())
                return _look(psutil.Process(process.pid), time.monotonic() - begun)
            finally:
                _end(process)


def _run(command: list[str], environment: Mapping[str, str]) -> Start:
    before, begun = _spent(), time.monotonic()
    subprocess.run(  # noqa: S603 - our own interpreter and modules
        command, env=environment, capture_output=True, check=False
    )
    return Start(_spent() - before, time.monotonic() - begun, 0, 0)


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _await_up(subject: Subject, process: subprocess.Popen[bytes], log: int) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (told := os.pread(log, _MIB, 0)).count(subject.word.encode()) < subject.times:
        if process.poll() is not None or time.monotonic() > deadline:
            raise NeverUp(f"{subject.name}:\n{told.decode(errors='replace')[-2000:]}")
        time.sleep(_LOOK_SECONDS)


def _look(process: psutil.Process, wall_seconds: float) -> Start:
    family = [process, *process.children(recursive=True)]
    times = [one.cpu_times() for one in family]
    memory = [one.memory_full_info() for one in family]
    return Start(
        sum(one.user + one.system for one in times),
        wall_seconds,
        max(one.rss for one in memory) / _MIB,
        sum(one.pss for one in memory) / _MIB,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing here is worth an orderly end; children first, since nobody else would end them."""
    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for child in family:
        with suppress(psutil.NoSuchProcess):
            child.kill()


def _misses(start: Start) -> bool:
    return start.cpu_seconds >= CPU_GOAL or start.largest_mib > RSS_GOAL_MIB


@contextmanager
def environment_of_nobody() -> Iterator[dict[str, str]]:
    """Settings of a fleet whose servers are all away."""
    with tempfile.TemporaryDirectory(prefix="docshard-start-") as folder:
        key = Path(folder) / "key"
        key.touch(0o600)
        key.write_bytes(base64.b64encode(secrets.token_bytes(32)) + b"\n")
        nobody = "http://127.0.0.1:9"
        yield {
            **{name: value for name, value in os.environ.items() if "DOCSHARD" not in name},
            "DOCSHARD_HOME": folder,
            "DOCSHARD_GLOBAL_NODES": '[{"name": "away", "host": "127.0.0.1", "port": 9}]',
            "DOCSHARD_LISTEN_PORT": "0",
            "DOCSHARD_KEY_FILE": str(key),
            **dict.fromkeys(("DOCSHARD_APP_PASSWORD", "DOCSHARD_WORKER_PASSWORD"), "none"),
            "DOCSHARD_ADMIN_PASSWORD": "none",
            "DOCSHARD_S3_ENDPOINT": nobody,
            "DOCSHARD_S3_BUCKET": "nowhere",
            "DOCSHARD_S3_ACCESS_KEY": "none",
            "DOCSHARD_S3_SECRET_KEY": "none",
        }


if __name__ == "__main__":
    main()
