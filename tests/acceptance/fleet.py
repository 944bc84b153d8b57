"""A real local fleet for tests, brought up and taken down by the product's own command."""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from deploy.fleet.environment import parse_environment
from deploy.local import processes
from deploy.local.home import Home
from deploy.local.parts import existing_parts
from deploy.local.status import PartStatus, status_of
from tests.command import run_docshard
from tests.lacking import ALL_REQUIRED
from tests.memory import roomy_memory


@dataclass(frozen=True)
class LocalFleet:
    """A home on ports of its own, and the `docshard` command for it."""

    home: Path
    environment: dict[str, str]

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `docshard …` to its end."""
        done = run_docshard(arguments, self.environment, seconds=400)
        if check and done.returncode != 0:
            raise AssertionError(
                f"docshard {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def status(self) -> dict[str, PartStatus]:
        """Every part by name: what `docshard status` shows."""
        return {part.name: part for part in status_of(existing_parts(Home(self.home)))}

    @property
    def variables(self) -> dict[str, str]:
        """What the file to source says."""
        return parse_environment((self.home / "env").read_text())

    @property
    def api(self) -> str:
        """The base URL."""
        return self.variables["DOCSHARD_API"]

    def processes(self) -> list[psutil.Process]:
        """Every process of this home, found without its pid files."""
        return list(processes.strays(self.home))


def _environment(home: Path, shards: int) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("DOCSHARD_") or name == "DOCSHARD_POSTGRES"
    }
    return inherited | {
        "DOCSHARD_HOME": str(home),
        "DOCSHARD_PORT": str(_free_ports()),
        "DOCSHARD_SHARDS": str(shards),
    }


def _free_ports() -> int:
    """The first of a hundred ports, chosen so that their gRPC ports, 10,000 above, lie below those
    that tests take by chance.

    Fleets that are up keep apart by themselves. But a test may stop a part, and what came meanwhile
    would have its port: so test processes side by side take from quarters of their own, and not by
    chance that hypothesis may have fixed.
    """
    quarter = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 4
    return 10_000 + 500 * quarter + 100 * secrets.randbelow(5)


@contextmanager
def local_fleet(shards: int) -> Iterator[LocalFleet]:
    """A fleet that is not up yet; whatever was started is ended and deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="docshard-", dir=roomy_memory()) as folder:
        # Servers run as nobody under root, and must get through to their data.
        Path(folder).chmod(0o711)
        home = Path(folder) / "home"
        fleet = LocalFleet(home, _environment(home, shards))
        try:
            yield fleet
        finally:
            if home.exists():
                fleet.run("clean-data", "--confirm", str(home))


@pytest.fixture(scope="session")
def fleet() -> Iterator[LocalFleet]:
    """One fleet with two shards for the whole run; tests that hurt it heal it again."""
    with local_fleet(shards=2) as started:
        started.run("up", "--no-demo")
        if ALL_REQUIRED:
            assert "shard-1-pgbouncer" in started.status(), "PgBouncer is not installed"
        yield started


def until(
    condition: Callable[[], object], seconds: float = 15.0, pause_seconds: float = 0.05
) -> float:
    """Wait until the condition is true; returns how long that took. Fails after `seconds`."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            raise AssertionError(f"not within {seconds} s")
        time.sleep(pause_seconds)
    return time.monotonic() - begun
