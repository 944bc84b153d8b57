"""Which fleet to load, and as whom: from the environment, else from the local fleet's file."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_NAMES = ("DOCSHARD_API", "DOCSHARD_ADMIN_EMAIL", "DOCSHARD_ADMIN_PASSWORD")


class NoTarget(Exception):
    """Nothing says which fleet to load. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """A fleet's base URL and an administrator of it."""

    api: str
    email: str
    password: str


def find_target(environment: Mapping[str, str] = os.environ) -> Target:
    """The fleet that the environment names, else the local one in DOCSHARD_HOME.

    Raises NoTarget when neither says everything.
    """
    file = Path(environment.get("DOCSHARD_HOME", ".docshard"), "env")
    written = parse(file.read_text()) if file.is_file() else {}
    known = {**written, **environment}
    absent = [name for name in _NAMES if not known.get(name)]
    if absent:
        raise NoTarget(
            f"{', '.join(absent)} not set, and {file} does not say. "
            "Start the local fleet with `make up`, or set them to load another one."
        )
    return Target(*(known[name] for name in _NAMES))


def parse(text: str) -> dict[str, str]:
    """The variables of a file made to be sourced: NAME=value, quoted or not, exported or not."""
    words = shlex.split(text, comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)
