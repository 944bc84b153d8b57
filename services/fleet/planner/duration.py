"""How long a plan takes when its batches run side by side within limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.fleet.planner.plan import Batch
from services.fleet.planner.prediction import Span


@dataclass(frozen=True, slots=True)
class AtOnce:
    """Batches that may run at a time out of one shard, and into one."""

    per_source: int = 1
    per_target: int = 1


ONE = AtOnce()


def duration(batches: Sequence[Batch], at_once: AtOnce) -> Span:
    """Until the last batch is switched.

    No order is faster than the busiest shard is. A batch that may run waits only while its source
    or its target is busy with others (Graham's bound for list scheduling); so the slowest end is
    that of the busiest pair, one after the other.
    """
    low, likely = (_busiest(_busy(batches, end), at_once) for end in ("low", "likely"))
    if any(batch.predicted.seconds.high is None for batch in batches):
        return Span(low, likely, None)
    sources, targets = _busy(batches, "high")
    high = max(
        (
            sources[batch.source] / at_once.per_source + targets[batch.target] / at_once.per_target
            for batch in batches
        ),
        default=0.0,
    )
    longest = max((batch.predicted.seconds.high or 0.0 for batch in batches), default=0.0)
    return Span(low, likely, high + longest)


def longest_pause(batches: Sequence[Batch]) -> Span:
    """The pause of the tenants that are worst off."""
    spans = [batch.predicted.pause_ms for batch in batches] or [Span(0.0, 0.0, 0.0)]
    highs = [span.high for span in spans]
    return Span(
        min(span.low for span in spans),
        max(span.likely for span in spans),
        None if None in highs else max(high for high in highs if high is not None),
    )


def _busy(batches: Sequence[Batch], end: str) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Seconds that each shard is busy as source, and as target, by this end of the ranges."""
    sources: dict[str, float] = {}
    targets: dict[str, float] = {}
    for batch in batches:
        seconds: float = getattr(batch.predicted.seconds, end)
        sources[batch.source] = sources.get(batch.source, 0.0) + seconds
        targets[batch.target] = targets.get(batch.target, 0.0) + seconds
    return sources, targets


def _busiest(busy: tuple[Mapping[str, float], Mapping[str, float]], at_once: AtOnce) -> float:
    sources, targets = busy
    return max(
        max(sources.values(), default=0.0) / at_once.per_source,
        max(targets.values(), default=0.0) / at_once.per_target,
    )
