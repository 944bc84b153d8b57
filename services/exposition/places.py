"""Several processes that serve one port, and one page of figures for all of them.

Whoever is asked cannot know what the others counted, so each writes it down, every few seconds and
when it is asked itself, and the page is made of what is written. A sum of counters must never
shrink: Prometheus would take that for a restart and count everything twice. So a place outlives its
process: who takes it over goes on from the counters that stand there. There are as many places as
processes ran at once.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Sequence
from io import BufferedRandom
from pathlib import Path
from typing import Final

import orjson
from pydantic import TypeAdapter, ValidationError

from services.exposition.family import Family, merged

STALE_SECONDS: Final = 15.0
"""Who has not written for so long is not there: its gauges say nothing."""
_FAMILIES: Final[TypeAdapter[list[Family]]] = TypeAdapter(list[Family])


class Place:
    """This process' place in a folder of a host; kept until the process ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path, self._lock = _take(folder)
        self._told = _read(self._path)
        self._before = _counters(self._told)

    def write(self, families: Sequence[Family]) -> None:
        """Put down what this process has counted.

        Raises:
            OSError: the others do not hear of it; `all` has it nevertheless.
        """
        self._told = merged([families, self._before])
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(self._told))
        fresh.replace(self._path)

    def all(self) -> list[Family]:
        """What this process and every other one in the folder put down, added up."""
        others = (path for path in sorted(self._folder.glob("*.json")) if path != self._path)
        return merged([self._told, *map(_as_written, others)])

    def leave(self) -> None:
        """Let another process take the place over."""
        self._lock.close()


def _take(folder: Path) -> tuple[Path, BufferedRandom]:
    """The first place that nobody holds: the kernel lets go of a lock when its process ends."""
    number = 0
    while True:
        lock = (folder / f"{number}.lock").open("a+b")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            number += 1
        else:
            return folder / f"{number}.json", lock


def _as_written(path: Path) -> list[Family]:
    families = _read(path)
    fresh = time.time() - path.stat().st_mtime < STALE_SECONDS
    return families if fresh else _counters(families)


def _read(path: Path) -> list[Family]:
    """What stands there. Nothing, when the machine ended before it was on the disk, or when another
    release wrote it: figures begin anew then, and no process fails for them."""
    try:
        return _FAMILIES.validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return []


def _counters(families: Sequence[Family]) -> list[Family]:
    return [family for family in families if family.kind != "gauge"]
