"""Where a request's time goes: the edge gives a dict, the layers below add to it.

A context variable carries it, so that no function in between has to know.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_spent: ContextVar[dict[str, float] | None] = ContextVar("spent", default=None)


def collect(into: dict[str, float]) -> None:
    """Let what this task does from now on add its milliseconds, by name, to `into`."""
    _spent.set(into)


def add(name: str, seconds: float) -> None:
    """Add time to the running request, if somebody collects it."""
    spent = _spent.get()
    if spent is not None:
        spent[name] = spent.get(name, 0.0) + seconds * 1000


@contextmanager
def measured(name: str) -> Iterator[None]:
    """Add the block's time under `name`."""
    started = time.perf_counter()
    try:
        yield
    finally:
        add(name, time.perf_counter() - started)
