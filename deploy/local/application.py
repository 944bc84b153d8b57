"""Router and worker of the local fleet."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from deploy.fleet.environment import service_environment
from deploy.local import processes
from deploy.local.secrets import credentials
from deploy.local.servers import Server

_PACKAGES = ("router", "services", "shards", "global_db", "deploy", "plots")


class Application(Server):
    """A process of our own code; restarted when code or configuration changed."""

    # Imports alone take seconds when other programs keep the machine busy.
    start_seconds = 90.0
    stop_seconds: ClassVar[float] = 10.0
    arguments: ClassVar[tuple[str, ...]]

    def prepare(self) -> None:
        """It needs no files."""

    def command(self) -> processes.Command:
        """This very interpreter, with the services' environment and nothing of the caller's."""
        return processes.Command(
            # -P: a file in the present folder must not shadow a package.
            arguments=[sys.executable, "-P", "-m", *self.arguments],
            folder=self.site.home.path,
            log=self.log,
            environment=_inherited() | self._environment(),
        )

    def fingerprint(self) -> str:
        """Of the code's files and the environment."""
        return hashlib.sha256(repr((code_mark(), self._environment())).encode()).hexdigest()[:16]

    def _environment(self) -> dict[str, str]:
        state = self.site.state
        known = credentials(self.site.home, self.site.secrets)
        return service_environment(state.fleet, known, state.data)


class RouterServer(Application):
    """The HTTP edge."""

    kind: ClassVar[str] = "router"
    arguments: ClassVar[tuple[str, ...]] = ("router",)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.site.state.fleet.router.address.port

    def ready(self) -> bool:
        """Whether it can serve requests, not merely listen."""
        if not self.listens():
            return False
        # The URL is our own loopback address, never a file.
        url = f"{self.site.state.fleet.api}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


class WorkerServer(Application):
    """Timed jobs."""

    kind: ClassVar[str] = "worker"
    arguments: ClassVar[tuple[str, ...]] = ("deploy.cli.main", "worker")

    @property
    def port(self) -> int | None:
        """Where it tells its figures; None in a home that has not been started since it does."""
        figures = self.site.state.fleet.workers[0].figures
        return None if figures is None else figures.port

    def ready(self) -> bool:
        """Whether it has found its databases, and tells so; without a port whether it lives."""
        return self.process() is not None if self.port is None else self.listens()

    def _environment(self) -> dict[str, str]:
        # Not in the common environment: a second worker could not listen there, too.
        told = {} if self.port is None else {"DOCSHARD_METRICS_PORT": str(self.port)}
        return super()._environment() | told


def code_mark() -> str:
    """Changes with the files of the program."""
    mark = hashlib.sha256()
    for path in sorted(_sources()):
        found = path.stat()
        mark.update(f"{path}{found.st_mtime_ns}{found.st_size}\n".encode())
    return mark.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations if spec else None) or ():
            for path in Path(folder).rglob("*"):
                if path.suffix in (".py", ".sql", ".j2"):
                    yield path


def _inherited() -> dict[str, str]:
    """The caller's environment less what belongs to fleets."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DOCSHARD_")}
