"""A plan: batches of tenants to move, in order, and what they are expected to change and take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from services.fleet.planner.prediction import Prediction, Span


class Goal(StrEnum):
    """What a plan is to bring about."""

    RING = "ring"
    """Everybody lives where the ring proposes."""
    LOAD = "load"
    """No shard holds or serves much more than its share."""
    DRAIN = "drain"
    """Nobody lives on a draining shard."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Tenants that move together, through one slot."""

    source: str
    target: str
    clients: tuple[UUID, ...]
    rows: int
    bytes: int
    predicted: Prediction

    def record(self) -> dict[str, Any]:
        """The prediction as it is kept beside what came of it."""
        seconds, pause_ms = self.predicted.seconds, self.predicted.pause_ms
        return {
            "rows": self.rows,
            "bytes": self.bytes,
            "seconds": round(seconds.likely, 2),
            "seconds_range": [round(seconds.low, 2), _rounded(seconds.high, 2)],
            "pause_ms": round(pause_ms.likely, 1),
            "pause_ms_range": [round(pause_ms.low, 1), _rounded(pause_ms.high, 1)],
        }


@dataclass(frozen=True, slots=True)
class Imbalance:
    """How far the fullest active shard is above its fair share (by weight): 1 is even, 2 twice."""

    clients: float
    bytes: float
    requests: float


@dataclass(frozen=True, slots=True)
class Flow:
    """All that goes from one shard to another."""

    source: str
    target: str
    batches: int
    clients: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to move, in the order in which to begin; empty when the goal is met."""

    goal: Goal
    batches: tuple[Batch, ...]
    before: Imbalance
    after: Imbalance
    seconds: Span
    """Until all is switched, when as many batches run at once as was said."""
    pause_ms: Span
    """What the writers of one tenant meet, once."""
    obstacles: tuple[UUID, ...]
    """Pinned tenants on draining shards: they stay until somebody unpins them."""
    population: int
    """Tenants of the fleet, deleted ones too: they have rows like others."""
    unmeasured: int
    """Those whose size is a guess, because nobody has measured it yet."""
    learnt_from: int
    """Finished moves that the times are learnt from; with 0 they are a guess."""

    @property
    def clients(self) -> int:
        """How many move."""
        return sum(len(batch.clients) for batch in self.batches)

    @property
    def rows(self) -> int:
        """Rows to move."""
        return sum(batch.rows for batch in self.batches)

    @property
    def bytes(self) -> int:
        """Bytes to move, of tables and indexes; blobs stay where they are."""
        return sum(batch.bytes for batch in self.batches)

    def flows(self) -> list[Flow]:
        """Summed by source and target, in the order of their names."""
        found: dict[tuple[str, str], list[Batch]] = {}
        for batch in self.batches:
            found.setdefault((batch.source, batch.target), []).append(batch)
        return [_flow(*pair, found[pair]) for pair in sorted(found)]


def _flow(source: str, target: str, batches: Sequence[Batch]) -> Flow:
    return Flow(
        source,
        target,
        len(batches),
        sum(len(batch.clients) for batch in batches),
        sum(batch.rows for batch in batches),
        sum(batch.bytes for batch in batches),
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
