"""Starts the sampler beside a load, and ends it."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from loadtests.runs.folder import RunFolder

_END_SECONDS = 10.0
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Watched:
    """What to look at: parts of the fleet in this home, other processes by pid, and routers.

    A fleet elsewhere has no processes here; then the home is any folder and only routers tell.
    """

    home: Path
    routers: tuple[str, ...]
    processes: Mapping[int, str]


@contextmanager
def sampled(folder: RunFolder, started_at: datetime, watched: Watched) -> Iterator[None]:
    """Sample into this run's folder, which has begun, until the block ends."""
    command = [
        *(sys.executable, "-m", "loadtests.sampling", "--folder", str(folder.path.absolute())),
        *("--home", str(watched.home.absolute()), "--started", str(started_at.timestamp())),
        *(word for router in watched.routers for word in ("--router", router)),
    ]
    for pid, name in watched.processes.items():
        command += ["--process", str(pid), name]
    sampler = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE)  # noqa: S603 - ourselves
    try:
        yield
    finally:
        _end(sampler)


def _end(sampler: subprocess.Popen[bytes]) -> None:
    """Close its input, and be sure: a load that is over must not leave a process."""
    try:
        sampler.communicate(timeout=_END_SECONDS)
    except subprocess.TimeoutExpired:
        sampler.kill()
        sampler.communicate()
