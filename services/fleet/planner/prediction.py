"""What a batch will take, as a range: from its size, its writes, and the pace of past moves.

The model is a line: a fixed part, and copying and checking at so many rows or bytes a second,
whichever takes longer, stretched by the writes that come in meanwhile and have to be caught up
with. It is scaled to what finished moves took, and the range is theirs, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

MIB = 1024**2
_FEWEST = 3
"""Finished moves from which something is learnt; fewer may all have been odd ones."""
_SATURATED = 0.9
"""Part of what a subscription applies beyond which nobody can say when it will have caught up."""


@dataclass(frozen=True, slots=True)
class Span:
    """From `low` to `high`, most likely `likely`; `high` None: it may be any time."""

    low: float
    likely: float
    high: float | None


@dataclass(frozen=True, slots=True)
class Past:
    """What a finished move had and took."""

    rows: float
    bytes: float
    seconds: float
    pause_ms: float


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast moves go here. The defaults are of a two-core machine under load, PostgreSQL 15.

    `spread` and `fence_spread` are the ends of a range as factors of its likely value, and
    `learnt_from` the moves behind them. Without any the range is as wide as machines differ.
    """

    rows_per_second: float = 50_000
    """Copied and compared."""
    bytes_per_second: float = 50 * MIB
    """The same, of tables with their indexes."""
    applied_per_second: float = 5_000
    """Row changes that one subscription applies."""
    fixed_seconds: float = 1.0
    """Slot, subscription, markers, the switch: what an empty batch takes."""
    fence_ms: float = 25.0
    """From the fence to the opening of one tenant."""
    spread: tuple[float, float] = (0.3, 5.0)
    fence_spread: tuple[float, float] = (0.4, 4.0)
    learnt_from: int = 0


@dataclass(frozen=True, slots=True)
class Weight:
    """What is to be moved; `known` False: nobody has measured any of it."""

    rows: int
    bytes: int
    writes: float
    known: bool = True


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one batch will take: until all its tenants are open at the target, and the pause that
    the writers of each tenant meet."""

    seconds: Span
    pause_ms: Span


DEFAULT_PACE = Pace()


def predict(weight: Weight, pace: Pace = DEFAULT_PACE) -> Prediction:
    """What moving this will take at this pace."""
    busy = weight.writes / pace.applied_per_second
    likely = _copying(weight.rows, weight.bytes, pace) / (1 - min(busy, _SATURATED))
    likely += pace.fixed_seconds
    endless = busy > _SATURATED or not weight.known
    return Prediction(
        _span(likely, pace.spread, endless=endless),
        _pause(pace, endless=busy > _SATURATED),
    )


def learn(past: Sequence[Past], pace: Pace = DEFAULT_PACE) -> Pace:
    """The pace of these moves: the model scaled to their middle, its range from a tenth to nine
    tenths of them, and wider the fewer they are. With too few of them `pace` as it is."""
    if len(past) < _FEWEST:
        return pace
    ratios = sorted(
        one.seconds / (_copying(one.rows, one.bytes, pace) + pace.fixed_seconds) for one in past
    )
    pauses = sorted(one.pause_ms for one in past)
    slower, fence_ms = _quantile(ratios, 0.5), _quantile(pauses, 0.5)
    if slower <= 0 or fence_ms <= 0:
        return pace
    return replace(
        pace,
        rows_per_second=pace.rows_per_second / slower,
        bytes_per_second=pace.bytes_per_second / slower,
        fixed_seconds=pace.fixed_seconds * slower,
        fence_ms=fence_ms,
        spread=_spread(ratios),
        fence_spread=_spread(pauses),
        learnt_from=len(past),
    )


def together(spans: Iterable[Span]) -> Span:
    """One after the other."""
    low = likely = high = 0.0
    endless = False
    for span in spans:
        low, likely = low + span.low, likely + span.likely
        endless = endless or span.high is None
        high += span.high or 0.0
    return Span(low, likely, None if endless else high)


def _copying(rows: float, size: float, pace: Pace) -> float:
    return max(rows / pace.rows_per_second, size / pace.bytes_per_second)


@lru_cache(maxsize=16)
def _pause(pace: Pace, *, endless: bool) -> Span:
    """The same for nearly all of half a million batches."""
    return _span(pace.fence_ms, pace.fence_spread, endless=endless)


def _span(likely: float, spread: tuple[float, float], *, endless: bool) -> Span:
    low, high = spread
    return Span(likely * low, likely, None if endless else likely * high)


def _spread(values: Sequence[float]) -> tuple[float, float]:
    """Sorted values' tenth and nine tenths as factors of their middle."""
    doubt, middle = 1 + 3 / len(values), _quantile(values, 0.5)
    return _quantile(values, 0.1) / middle / doubt, _quantile(values, 0.9) / middle * doubt


def _quantile(values: Sequence[float], part: float) -> float:
    """Of sorted values, the nearest one."""
    return values[round(part * (len(values) - 1))]
