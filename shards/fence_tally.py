"""What a process counts of refusals by shards, and of callers that waited at a fence. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from global_db.tally import Histogram

WAIT_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
"""Seconds: a switch takes some ten milliseconds, and nobody waits for longer than two seconds."""


@dataclass(slots=True)
class FenceTally:
    """Counts since the process started."""

    refusals: Counter[tuple[str, type[Exception]]] = field(default_factory=Counter)
    """By shard and kind: requests that a shard refused when they came to it first."""
    waits: Histogram = field(default_factory=lambda: Histogram(WAIT_BOUNDS))
    """How long callers waited for a tenant to open, whether it did or not."""
    waiting: int = 0
    """Callers that wait now."""
