"""The sampler, a process of its own: a load's threads would look late just when it matters.

It ends when its standard input does, so it never outlives who started it.
"""

import os
import select
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import click
import httpx

from loadtests.runs.folder import RunFolder
from loadtests.sampling import figures
from loadtests.sampling.figures import Look
from loadtests.sampling.processes import Processes, Usage, usage

_PATIENCE_SECONDS = 0.8
"""A router that takes longer to tell its figures is left out of this second."""

_MARGIN_SECONDS = 0.01
"""Two clocks differ a little, and a second is looked at once it is over."""


@dataclass(slots=True)
class Sampler:
    """Looks once a second, and writes down what came since the look before."""

    folder: RunFolder
    processes: Processes
    http: httpx.Client
    routers: tuple[str, ...]
    _used: Usage = field(default_factory=lambda: Usage(0, {}))
    _told: Look = field(default_factory=lambda: Look(0, 0, {}, {}))
    _primaries: dict[str, bool] = field(default_factory=dict)
    """As last told: routers that are silent for a second do not lose them."""

    def look(self, second: int) -> None:
        """Values of the second that has just ended."""
        used = Usage(time.monotonic(), self.processes.look())
        pages = figures.fetch(self.http, self.routers)
        told = figures.look(pages, time.monotonic())
        if second >= 0:
            values = [*usage(second, self._used, used), *figures.grown(second, self._told, told)]
            self.folder.append(values)
            self.folder.note(figures.primaries(second, self._primaries, told.primaries))
        self._used, self._told = used, told
        self._primaries |= told.primaries


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True)
@click.option("--home", type=click.Path(path_type=Path), required=True)
@click.option("--router", "routers", multiple=True)
@click.option("--started", type=float, required=True, help="When the run began, Unix time.")
@click.option("--process", "others", type=(int, str), multiple=True, help="PID and name.")
def main(
    folder: Path,
    home: Path,
    routers: tuple[str, ...],
    started: float,
    others: tuple[tuple[int, str], ...],
) -> None:
    """Sample until standard input ends."""
    token = os.environ.get("DOCSHARD_METRICS_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # Without the environment's proxies: a router shows its figures to nobody behind one.
    with httpx.Client(timeout=_PATIENCE_SECONDS, headers=headers, trust_env=False) as http:
        watched = Processes(home.absolute(), dict(others))
        sampler = Sampler(RunFolder(folder), watched, http, routers)
        sampler.look(-1)
        while not _ended(until=started + _second(started) + 1 + _MARGIN_SECONDS):
            sampler.look(_second(started) - 1)


def _second(started: float) -> int:
    return int(time.time() - started)


def _ended(until: float) -> bool:
    """Wait for the end of standard input, at most until this moment; whether it came."""
    return bool(select.select([sys.stdin], [], [], max(0.0, until - time.time()))[0])


if __name__ == "__main__":
    main()
