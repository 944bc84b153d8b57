"""What other processes take: processor time by the kernel's count, nanoseconds and not ticks."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Family:
    """A process and all that descend from it."""

    pid: int

    def nanoseconds(self) -> int:
        """Processor time that its living members have taken so far."""
        return sum(_taken(one.pid) for one in self._members())

    def mib(self) -> float:
        """Memory of its living members, shared pages counted once."""
        return sum(float(one.memory_full_info().pss) for one in self._members()) / 1024**2

    def _members(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            return [process, *process.children(recursive=True)]
        return []


def _taken(pid: int) -> int:
    """Of all its threads; 0 once it has ended."""
    taken = 0
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                taken += int((task / "schedstat").read_text().split()[0])
    return taken
