"""How long work goes, told on standard error: steps as they are done, bytes, rate and time left."""

from __future__ import annotations

import time

import click

from services.fleet.portability.reach import Progress
from services.fleet.units import duration, size

_PAUSE_SECONDS = 2.0


class Telling:
    """One line for each step, and one every two seconds while bytes go by."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()
        self._first: tuple[float, int] | None = None

    @property
    def progress(self) -> Progress:
        """What the work is given."""
        return Progress(self.step, self.moved)

    def step(self, words: str) -> None:
        """Tell a step."""
        click.echo(f"{time.monotonic() - self._began:7.1f} s  {words}", err=True)

    def moved(self, done: int, total: int | None) -> None:
        """Tell bytes, not too often."""
        now = time.monotonic()
        self._first = self._first or (now, done)
        if now - self._told < _PAUSE_SECONDS:
            return
        self._told = now
        self.step(f"{_amount(done, total)}, {self._pace(now, done, total)}")

    def _pace(self, now: float, done: int, total: int | None) -> str:
        began, before = self._first or (now, done)
        rate = (done - before) / (now - began) if now > began else 0.0
        if not rate or total is None:
            return "nobody can tell how long yet"
        return f"{size(rate)}/s, ETA {duration(max(0.0, (total - done) / rate))}"


def _amount(done: int, total: int | None) -> str:
    return size(done) if total is None else f"{size(done)} of {size(total)}"
