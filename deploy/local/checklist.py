"""The live list of what is being done, with the seconds each part has taken."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text


class Checklist(Protocol):
    """Shows parts of a larger work; safe to use from several threads."""

    def part(self, name: str) -> contextlib.AbstractContextManager[Line]:
        """A part of the work: it starts on entering and ends on leaving the block."""


@dataclass
class Line:
    """One part of the work; `note` may be set while it runs."""

    name: str
    note: str = ""
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    failed: bool = False

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return (self.ended or time.monotonic()) - self.started


@contextlib.contextmanager
def _timed(line: Line) -> Iterator[Line]:
    try:
        yield line
    except BaseException:
        line.failed = True
        raise
    finally:
        line.ended = time.monotonic()


class PlainChecklist:
    """One line for each part when it ends: for pipes and logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[Line]:
        """Tell the part when it has ended."""
        line = Line(name)
        try:
            with _timed(line):
                yield line
        finally:
            with self._lock:
                self._console.print(_words(line), highlight=False)


class LiveChecklist:
    """All parts on a terminal, redrawn while they run."""

    def __init__(self, console: Console) -> None:
        self._lines: list[Line] = []
        self._spinner = Spinner("dots")
        self._live = Live(self, console=console, refresh_per_second=10)

    def __enter__(self) -> LiveChecklist:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[Line]:
        """Show the part from now on."""
        line = Line(name)
        self._lines.append(line)
        with _timed(line):
            yield line

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table.grid(padding=(0, 1))
        for line in list(self._lines):
            table.add_row(self._sign(line), line.name, f"{line.seconds:5.1f} s", line.note)
        yield table

    def _sign(self, line: Line) -> Spinner | Text:
        if line.ended is None:
            return self._spinner
        return Text("✗", style="red") if line.failed else Text("✓", style="green")


@contextlib.contextmanager
def shown() -> Iterator[Checklist]:
    """The checklist that suits standard error: live on a terminal, else plain lines."""
    console = Console(stderr=True)
    if console.is_terminal and "NO_COLOR" not in os.environ:
        with LiveChecklist(console) as live:
            yield live
    else:
        yield PlainChecklist(Console(stderr=True, no_color=True, soft_wrap=True))


def _words(line: Line) -> str:
    sign = "failed" if line.failed else "ok"
    return f"{sign:<6} {line.seconds:5.1f} s  {line.name}  {line.note}".rstrip()
