"""A throwaway fleet, made by the product's own command."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from loadtests.target import Target, find_target, parse


class NoFleet(Exception):
    """A throwaway fleet could not be started; the message says why."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A cluster's primary, reached directly and not through a pooler."""

    host: str
    port: str
    variables: Mapping[str, str]
    """The services' environment: the roles' passwords."""
    target: Target
    """The router in front of it, and its administrator."""

    def conninfo(self, role: str, password: str) -> str:
        """How to connect as this role, whose password is in the variable of this name."""
        place = f"host={self.host} port={self.port} dbname={self.variables['DOCSHARD_DATABASE']}"
        return f"{place} user={role} password={self.variables[password]}"


@dataclass(frozen=True, slots=True)
class Fleet:
    """A running fleet, and the product's command for it."""

    environment: Mapping[str, str]
    variables: Mapping[str, str]
    """The services' environment: the roles' passwords."""
    target: Target

    def run(self, *arguments: str) -> str:
        """What `docshard …` writes. Raises NoFleet when it fails."""
        return _docshard(self.environment, *arguments)

    def shard(self, name: str) -> Shard:
        """A shard of it."""
        return Shard(*self._address(f"{name}-primary"), self.variables, self.target)

    def global_database(self) -> Shard:
        """The global database's primary, in the same words."""
        return Shard(*self._address("global-primary"), self.variables, self.target)

    def process(self, node: str) -> int:
        """The process of one of its nodes."""
        return int(self._node(node)["pid"])

    def _address(self, node: str) -> tuple[str, str]:
        host, _, port = str(self._node(node)["address"]).rpartition(":")
        return host, port

    def _node(self, name: str) -> Mapping[str, Any]:
        status = json.loads(self.run("status", "-o", "json"))
        found: Mapping[str, Any]
        [found] = [node for node in status["nodes"] if node["name"] == name]
        return found


@contextmanager
def throwaway_fleet(shards: int, replicas: int = 0) -> Iterator[Fleet]:
    """Bring a fleet up and delete it afterwards; DOCSHARD_POSTGRES chooses its PostgreSQL.

    Raises NoFleet.
    """
    with TemporaryDirectory(prefix="docshard-bench-") as name:
        Path(name).chmod(0o711)  # as root, servers run as nobody and pass through to their data
        home = Path(name, "home")
        environment = _environment(home, shards, replicas)
        try:
            _docshard(environment, "up", "--no-demo")
            variables = parse((home / "service.env").read_text())
            yield Fleet(environment, variables, find_target({"DOCSHARD_HOME": str(home)}))
        finally:
            if home.exists():
                _docshard(environment, "clean-data", "--confirm", str(home))


@contextmanager
def throwaway_shard(replicas: int = 0) -> Iterator[Shard]:
    """A fleet with one shard, the same way.

    Raises NoFleet.
    """
    with throwaway_fleet(1, replicas) as fleet:
        yield fleet.shard("shard-1")


def _environment(home: Path, shards: int, replicas: int) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("DOCSHARD_") or name == "DOCSHARD_POSTGRES"
    }
    return kept | {
        "DOCSHARD_HOME": str(home),
        # Below the ports that the kernel gives to clients; taken ones are moved away from.
        "DOCSHARD_PORT": str(random.randrange(21_100, 30_000, 200)),
        "DOCSHARD_SHARDS": str(shards),
        "DOCSHARD_REPLICAS": str(replicas),
    }


def _docshard(environment: Mapping[str, str], *arguments: str) -> str:
    command = [sys.executable, "-P", "-m", "deploy.cli.main", *arguments]
    done = subprocess.run(  # noqa: S603 - our own interpreter, words and no shell
        command, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode:
        raise NoFleet(f"docshard {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    return done.stdout
