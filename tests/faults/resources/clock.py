"""A clock that a test sets for one process: Debian's libfaketime between it and the kernel.

What it tells of the time of day is moved; its monotonic clock, which nobody can set, is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.lacking import lacking

_LIBRARY = "faketime/libfaketime.so.1"
_MEMORY = Path("/dev/shm")  # noqa: S108 - where the library's names are, whoever uses it
_NAMES = ("faketime_shm_{}", "sem.faketime_sem_{}")


@dataclass(frozen=True)
class Clock:
    """`environment` puts a process on this clock."""

    library: Path
    file: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(self.library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def move(self, seconds: int) -> None:
        """So far from the true time, from now on."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}s\n")
        new.chmod(0o644)
        new.replace(self.file)


def forget(pid: int) -> None:
    """Take away what the library has shared under the pid of a process that has begun.

    It keeps what it has opened; and killed, it would leave the names behind for whoever gets its
    pid. Tried: who finds them shares nothing with its children, and its clock moves all the same.
    """
    for name in _NAMES:
        (_MEMORY / name.format(pid)).unlink(missing_ok=True)


def clock_in(folder: Path) -> Clock:
    """A clock that is right until it is moved."""
    found = sorted(Path("/usr/lib").glob(f"*/{_LIBRARY}"))
    if not found:
        lacking("Debian's package libfaketime is not installed")
    clock = Clock(found[0], folder / "clock")
    clock.move(0)
    return clock
