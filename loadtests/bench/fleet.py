"""A throwaway fleet with one shard, made by the product's own command."""

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

from loadtests.target import Target, find_target, parse

_PRIMARY = "shard-1-primary"


class NoFleet(Exception):
    """A throwaway fleet could not be started; the message says why."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard's primary, reached directly and not through a pooler."""

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


@contextmanager
def throwaway_shard(replicas: int = 0) -> Iterator[Shard]:
    """Bring a fleet up and delete it afterwards; DOCSHARD_POSTGRES chooses its PostgreSQL.

    Raises NoFleet.
    """
    with TemporaryDirectory(prefix="docshard-bench-") as name:
        Path(name).chmod(0o711)  # as root, servers run as nobody and pass through to their data
        home = Path(name, "home")
        environment = _environment(home, replicas)
        try:
            _docshard(environment, "up", "--no-demo")
            status = json.loads(_docshard(environment, "status", "-o", "json"))
            variables = parse((home / "service.env").read_text())
            yield Shard(*_address(status), variables, find_target({"DOCSHARD_HOME": str(home)}))
        finally:
            if home.exists():
                _docshard(environment, "clean-data", "--confirm", str(home))


def _address(status: Mapping[str, list[Mapping[str, str]]]) -> tuple[str, str]:
    [address] = [node["address"] for node in status["nodes"] if node["name"] == _PRIMARY]
    host, _, port = address.rpartition(":")
    return host, port


def _environment(home: Path, replicas: int) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("DOCSHARD_") or name == "DOCSHARD_POSTGRES"
    }
    return kept | {
        "DOCSHARD_HOME": str(home),
        # Below the ports that the kernel gives to clients; taken ones are moved away from.
        "DOCSHARD_PORT": str(random.randrange(21_100, 30_000, 200)),
        "DOCSHARD_SHARDS": "1",
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
