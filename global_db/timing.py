"""Where a request's time goes: the edge gives a `Spent`, the layers below add to it.

A context variable carries it, so that no function in between has to know.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

WAIT: Final = "wait"
"""The part that the caller asked to wait: for changes, or until it sent its body."""


@dataclass(slots=True)
class Spent:
    """What one request has spent so far."""

    milliseconds: dict[str, float] = field(default_factory=dict)
    """By part, in the order in which the parts began to cost something."""
    cluster: str | None = None
    """Whose database was worked with last."""

    def add(self, name: str, seconds: float) -> None:
        """Add time to a part."""
        self.milliseconds[name] = self.milliseconds.get(name, 0.0) + seconds * 1000

    @property
    def waited_seconds(self) -> float:
        """How much of it was the caller's own wish, or doing."""
        return self.milliseconds.get(WAIT, 0.0) / 1000


_spent: ContextVar[Spent | None] = ContextVar("spent", default=None)


def collect(into: Spent) -> None:
    """Let what this task does from now on be added to `into`."""
    _spent.set(into)


def note_work(cluster: str, waited: float, worked: float) -> None:
    """Add what one connection cost: seconds until it was lent, and until it was given back."""
    spent = _spent.get()
    if spent is not None:
        spent.add("pool", waited)
        spent.add("db", worked)
        spent.cluster = cluster


@contextmanager
def measured(name: str) -> Iterator[None]:
    """Add the block's time under `name`."""
    started = time.perf_counter()
    try:
        yield
    finally:
        spent = _spent.get()
        if spent is not None:
            spent.add(name, time.perf_counter() - started)
