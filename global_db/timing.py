"""Where a request's time goes: the edge gives a `Spent`, the layers below add to it.

A context variable carries it, so that no function in between has to know.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

WAIT: Final = "wait"
"""The part that the caller asked to wait: for changes, or until it sent its body."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a request's time, in seconds of `time.perf_counter`."""

    name: str
    began: float
    ended: float
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Spent:
    """What one request has spent so far."""

    milliseconds: dict[str, float] = field(default_factory=dict)
    """By part, in the order in which the parts began to cost something."""
    cluster: str | None = None
    """Whose database was worked with last."""
    spans: list[Span] | None = None
    """Of a request that is traced, in the order of their ends; None: nobody wants them."""

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


def note_work(cluster: str, asked: float, lent: float) -> None:
    """Add what one connection cost that was asked for, lent, and is given back now."""
    spent = _spent.get()
    if spent is not None:
        now = time.perf_counter()
        spent.add("pool", lent - asked)
        spent.add("db", now - lent)
        spent.cluster = cluster
        if spent.spans is not None:
            spent.spans.append(Span("pool", asked, lent, {"docshard.shard": cluster}))
            spent.spans.append(Span("db", lent, now, {"docshard.shard": cluster}))


def note_statement(text: str, began: float) -> None:
    """Keep a statement that was answered now, or in a pipeline was sent, if the request is traced;
    the text has places for values and no values."""
    spent = _spent.get()
    if spent is not None and spent.spans is not None:
        attributes = {"db.system.name": "postgresql", "db.query.text": text}
        spent.spans.append(Span("sql", began, time.perf_counter(), attributes))


def measured(name: str) -> AbstractContextManager[None]:
    """Add the block's time under `name`."""
    return _Measured(name)


class _Measured:
    __slots__ = ("_name", "_started")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        spent = _spent.get()
        if spent is not None:
            ended = time.perf_counter()
            spent.add(self._name, ended - self._started)
            if spent.spans is not None:
                spent.spans.append(Span(self._name, self._started, ended))
