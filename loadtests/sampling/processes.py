"""Processor time and memory of a local fleet's processes, out of /proc, in one pass over it.

Whose a process is says a variable that the local fleet puts into the environment of each part; a
child belongs to its parent's part, which matters for PostgreSQL: it writes titles over its
children's environments.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.runs.moments import Series, Value

HOME_MARK, PART_MARK = "DOCSHARD_FLEET_HOME", "DOCSHARD_FLEET_PART"
"""As the local fleet names them; a test holds them to it."""

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Process:
    """A line of /proc/PID/stat. `ticks` counts children that have ended, too."""

    pid: int
    parent: int
    started: int
    ticks: int


@dataclass(frozen=True, slots=True)
class Used:
    """What the processes of one part use together: seconds since they began, bytes now."""

    cpu: float
    memory: int


@dataclass(slots=True)
class Processes:
    """Looks at the parts of the fleet in this home, and at whatever else is named by its pid."""

    home: Path
    others: Mapping[int, str] = field(default_factory=dict)
    proc: Path = Path("/proc")
    _marks: dict[tuple[int, int], str | None] = field(default_factory=dict)

    def look(self) -> dict[str, Used]:
        """Every part that has a process now."""
        found = {process.pid: process for process in self._all()}
        marks = {(p.pid, p.started): self._mark(p) for p in found.values()}
        self._marks = marks  # of ended ones nothing is remembered: pids come back
        parts: dict[str, list[Process]] = {}
        for process in found.values():
            part = _part(process, found, marks)
            if part is not None:
                parts.setdefault(part, []).append(process)
        return {part: self._used(members) for part, members in sorted(parts.items())}

    def _all(self) -> Iterator[Process]:
        for name in os.listdir(self.proc):  # noqa: PTH208 - a Path for each would be half the cost
            if name.isdecimal():
                # It may have ended since it was listed.
                with contextlib.suppress(OSError):
                    yield parsed((self.proc / name / "stat").read_text(errors="replace"))

    def _mark(self, process: Process) -> str | None:
        key = (process.pid, process.started)
        if key in self._marks:
            return self._marks[key]
        if process.pid in self.others:
            return self.others[process.pid]
        with contextlib.suppress(OSError):  # ended, or another user's
            environment = (self.proc / str(process.pid) / "environ").read_bytes()
            return marked(environment, self.home)
        return None

    def _used(self, members: list[Process]) -> Used:
        """Memory is what each has alone and, once, the most that one of them shares: of PostgreSQL
        that is the shared buffers, of forked workers the code."""
        alone, shared = 0, 0
        for process in members:
            with contextlib.suppress(OSError):
                words = (self.proc / str(process.pid) / "statm").read_text().split()
                alone += int(words[1]) - int(words[2])
                shared = max(shared, int(words[2]))
        cpu = sum(process.ticks for process in members) / _TICKS
        return Used(cpu, (alone + shared) * _PAGE)


def parsed(stat: str) -> Process:
    """What /proc/PID/stat says; the name in brackets may hold anything, brackets too (proc(5))."""
    pid, rest = stat.split(" ", 1)
    words = rest[rest.rindex(")") + 2 :].split()
    return Process(int(pid), int(words[1]), int(words[19]), sum(map(int, words[11:15])))


def marked(environment: bytes, home: Path) -> str | None:
    """The part of this home's fleet that an environment names."""
    named = dict(pair.split(b"=", 1) for pair in environment.split(b"\0") if b"=" in pair)
    if named.get(HOME_MARK.encode()) != os.fsencode(home):
        return None
    part = named.get(PART_MARK.encode())
    return None if part is None else part.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Usage:
    """A look at the parts at a moment, by a clock's seconds."""

    at: float
    parts: Mapping[str, Used]


def usage(second: int, before: Usage, now: Usage) -> Iterator[Value]:
    """Values of the second between two looks; processor time only of parts seen in both."""
    for part, used in now.parts.items():
        yield Value(second, Series.MEMORY, part, used.memory)
        if part in before.parts:
            # Who ends takes his time along when nobody asks for it, and a restart begins at 0.
            spent = max(0.0, used.cpu - before.parts[part].cpu)
            yield Value(second, Series.CPU, part, 100 * spent / (now.at - before.at))


def _part(
    process: Process, found: Mapping[int, Process], marks: Mapping[tuple[int, int], str | None]
) -> str | None:
    """The nearest mark upwards."""
    seen: set[int] = set()
    while process.pid not in seen:
        seen.add(process.pid)
        mark = marks[process.pid, process.started]
        if mark is not None or process.parent not in found:
            return mark
        process = found[process.parent]
    return None
