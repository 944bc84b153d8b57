"""How far something is, on standard error, with an ETA that admits when it does not know."""

from __future__ import annotations

import time
from types import TracebackType

import click

from services.fleet.units import duration, size

_EVERY_SECONDS = 2.0
_TOO_EARLY = 0.02


class Shown:
    """Everything that a restore tells meanwhile."""

    def meter(self, what: str, total: int) -> Meter:
        """Something of so many bytes begins."""
        return Meter(what, total)

    def say(self, text: str) -> None:
        """A line."""
        click.echo(text, err=True)


class Meter:
    """Tells the part that is done now and then; with `total` bytes it tells them and their rate."""

    def __init__(self, what: str, total: int | None = None) -> None:
        self._what = what
        self._total = total
        self._began = self._told = time.monotonic()

    def __enter__(self) -> Meter:
        click.echo(f"{self._what} …", err=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is None:
            seconds = time.monotonic() - self._began
            rate = self._rate(1, seconds)
            click.echo(f"{self._what}: done in {duration(seconds)}{rate}", err=True)

    def __call__(self, part: float) -> None:
        """So much is done, 0 to 1."""
        now = time.monotonic()
        if now - self._told < _EVERY_SECONDS:
            return
        self._told, seconds = now, now - self._began
        eta = (
            f"about {duration(seconds / part * (1 - part))} left"
            if part > _TOO_EARLY
            else "nobody can tell how long yet"
        )
        click.echo(f"{self._what}: {part:.0%}{self._rate(part, seconds)}, {eta}", err=True)

    def _rate(self, part: float, seconds: float) -> str:
        if self._total is None:
            return ""
        done = self._total * part
        return f", {size(done)}, {size(done / max(seconds, 0.001))}/s"


SHOWN = Shown()
