"""How long moves may still take: a range, or why nobody can say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import sqrt
from statistics import median
from typing import Final

from global_db.move_tables import ENDED
from global_db.moves import Move
from services.fleet.move_progress import BEFORE_SWITCH, MoveProgress, switch_seconds
from services.fleet.planner.duration import AtOnce, duration
from services.fleet.planner.plan import Batch
from services.fleet.planner.prediction import Prediction, Span

_ENOUGH: Final = 0.1  # a part of the work from which its pace can be told
_NO_PAUSE: Final = Span(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Eta:
    """Seconds from now, at least `low` and at most `high`; None: nobody can say, and `why`."""

    low: float | None
    high: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the time left depends on besides the moves themselves.

    `grace_seconds`: how long the way back is kept after a switch; None: as the worker has it.
    """

    now: datetime
    at_once: AtOnce = field(default_factory=AtOnce)
    grace_seconds: float | None = None
    paused: bool = False
    retrying: bool = False
    """Whether moves that were aborted are ordered again by whoever runs them."""


def time_left(standing: Sequence[MoveProgress], around: Circumstances, *, unattended: bool) -> Eta:
    """Until all is swept."""
    living = [one for one in standing if one.move.state not in ENDED]
    if not living:
        return Eta(0.0, 0.0)
    if around.paused:
        return Eta(None, None, "paused")
    if unattended:
        return Eta(None, None, "no worker runs moves")
    pace = _pace(standing, around.now)
    ahead = [one for one in living if one.move.state in BEFORE_SWITCH]
    switching = duration([_rest(one, pace) for one in ahead], around.at_once)
    return _until_swept(living, switching, around, pace)


def _until_swept(
    living: Sequence[MoveProgress], switching: Span, around: Circumstances, pace: Span | None
) -> Eta:
    """Switching what is ahead, its grace, or the grace of what is switched: whichever is longer."""
    waits = [_wait(one.move, around.now) for one in living]
    ahead = any(one.move.state in BEFORE_SWITCH for one in living)
    grace = _grace(living, around) if ahead else 0.0
    low = max([*waits, switching.low + (grace or 0.0)])
    if ahead and grace is None:
        return Eta(low, None, "how long the way back is kept is the worker's to say")
    if switching.high is None:
        return Eta(low, None, "some of it was never measured")
    # Sweeping deletes what copying wrote, and takes no longer.
    sweeping = max((_seconds(one.move, "seconds") or 0.0 for one in living), default=0.0)
    high = (
        max([*waits, switching.high + (grace or 0.0)]) + 1 + sweeping * (pace.likely if pace else 1)
    )
    return Eta(low, high, "" if pace else "nothing is measured yet: the plan's own guess")


def _grace(living: Sequence[MoveProgress], around: Circumstances) -> float | None:
    if around.grace_seconds is not None:
        return around.grace_seconds
    kept = [
        (one.move.sweep_after - one.move.switched_at).total_seconds()
        for one in living
        if one.move.sweep_after is not None and one.move.switched_at is not None
    ]
    return max(kept, default=None)


def _wait(move: Move, now: datetime) -> float:
    """Seconds for which nobody will touch it."""
    until = move.sweep_after if move.state == "switched" else move.not_before
    return 0.0 if until is None else max(0.0, (until - now).total_seconds())


def _pace(standing: Sequence[MoveProgress], now: datetime) -> Span | None:
    """What moves take here and now, in parts of what was foreseen: the middle of those measured,
    and a range that is the wider the fewer they are."""
    ratios = [ratio for one in standing if (ratio := _ratio(one, now)) is not None]
    if not ratios:
        return None
    middle, doubt = median(ratios), 1 + 1 / sqrt(len(ratios))
    return Span(middle / doubt, middle, middle * doubt)


def _ratio(one: MoveProgress, now: datetime) -> float | None:
    foreseen = _seconds(one.move, "seconds")
    if not foreseen:
        return None
    if one.move.state == "copying" and one.part >= _ENOUGH:
        return (now - one.move.state_since).total_seconds() / (foreseen * one.part)
    taken = switch_seconds(one.move)
    return None if taken is None else taken / foreseen


def _rest(one: MoveProgress, pace: Span | None) -> Batch:
    """What is left of it up to the switch, as the planner's model of time takes it."""
    likely, left = _seconds(one.move, "seconds") or 0.0, 1 - one.part
    if pace is not None and likely:
        span = Span(
            likely * pace.low * left,
            likely * pace.likely * left,
            likely * (pace.high or 0.0) * left,
        )
    else:
        low, high = one.move.predicted.get("seconds_range", (0.0, None))
        span = Span(low * left, likely * left, None if high is None else high * left)
    return Batch(one.move.source, one.move.target, (), 0, 0, Prediction(span, _NO_PAUSE))


def _seconds(move: Move, name: str) -> float | None:
    value = move.predicted.get(name)
    return float(value) if isinstance(value, (int, float)) else None
