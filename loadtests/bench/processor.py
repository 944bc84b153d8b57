"""Processor time of other processes, by the kernel's count: nanoseconds, not ticks."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Family:
    """A process and all that descend from it."""

    pid: int

    def nanoseconds(self) -> int:
        """What its living members have taken so far."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            family = [process, *process.children(recursive=True)]
            return sum(_taken(one.pid) for one in family)
        return 0


def _taken(pid: int) -> int:
    """Of all its threads; 0 once it has ended."""
    taken = 0
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                taken += int((task / "schedstat").read_text().split()[0])
    return taken
