"""How far one move is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from global_db.move_tables import ENDED, STARTED
from global_db.moves import Move

BEFORE_SWITCH: Final = frozenset({"planned", *STARTED})
_COPIED: Final = ("switched", *ENDED)

# Which part of the work up to the switch lies behind a move that has reached a state; copying goes
# from nothing to the first of them.
_BEHIND: Final = {"catching_up": 0.8, "verifying": 0.85, "fenced": 0.98}
_COPYING: Final = 0.8


@dataclass(frozen=True, slots=True)
class Amount:
    """Rows or bytes: done, and of how many; the total is None when it was never measured."""

    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class MoveProgress:
    """One move as it stands. `bytes_per_second`: of copying, while it copies.

    `lag_bytes`: what the source wrote and the target has not applied yet.
    """

    move: Move
    rows: Amount
    bytes: Amount
    bytes_per_second: float | None
    lag_bytes: int | None
    part: float
    """Of the work up to the switch, from 0 to 1."""

    @property
    def at_work(self) -> bool:
        """Whether it works on its source and its target now."""
        return self.move.state in STARTED

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.move.state in ENDED


def progress_of(move: Move) -> MoveProgress:
    """How far one move is."""
    told = move.progress | (move.actual if move.state in _COPIED else {})
    rows, bytes_ = (_amount(move, told, unit) for unit in ("rows", "bytes"))
    if move.state in ("switched", "swept"):
        # Totals are what was expected; by now it is known.
        rows, bytes_ = Amount(rows.done, rows.done), Amount(bytes_.done, bytes_.done)
    copying = move.state == "copying"
    return MoveProgress(
        move=move,
        rows=rows,
        bytes=bytes_,
        bytes_per_second=_rate(move) if copying else None,
        lag_bytes=move.progress.get("lag_bytes") if move.state in STARTED else None,
        part=_part(move.state, bytes_),
    )


def switch_seconds(move: Move) -> float | None:
    """How long a move took until it was switched; None before that."""
    phases = move.actual.get("phases")
    if isinstance(taken := move.actual.get("seconds"), (int, float)):
        return float(taken)
    if move.state not in ("switched", "swept") or not phases:
        return None
    return float(sum(phases.get(state, 0.0) for state in STARTED))


def _amount(move: Move, told: Mapping[str, object], unit: str) -> Amount:
    done, total = told.get(unit), told.get(f"{unit}_total", move.predicted.get(unit))
    done = int(done) if isinstance(done, (int, float)) else 0
    if not isinstance(total, (int, float)):
        return Amount(done, None)
    # A tenant grows while it is copied, and a total is from before.
    return Amount(done, max(int(total), done))


def _rate(move: Move) -> float | None:
    """Bytes a second since copying began."""
    at, copied = move.progress.get("at"), move.progress.get("bytes")
    if not isinstance(at, str) or not isinstance(copied, (int, float)):
        return None
    seconds = (datetime.fromisoformat(at) - move.state_since).total_seconds()
    return copied / seconds if seconds > 0 else None


def _part(state: str, copied: Amount) -> float:
    if state == "copying":
        return _COPYING * copied.done / copied.total if copied.total else 0.0
    if state in ("switched", "swept"):
        return 1.0
    return _BEHIND.get(state, 0.0)
