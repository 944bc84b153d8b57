"""Several moves together: how far they are, what is left, and who is left behind. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from global_db.move_tables import ENDED
from global_db.moves import Move
from services.fleet.move_eta import Circumstances, Eta, time_left
from services.fleet.move_progress import Amount, MoveProgress, progress_of

STATES: Final = (
    *("planned", "copying", "catching_up", "verifying", "fenced", "switched", "swept", "aborted"),
)
SILENT_SECONDS: Final = 10.0
"""Moves that are due and that nobody has touched for so long are run by nobody."""


@dataclass(frozen=True, slots=True)
class Overview:
    """Several moves together."""

    moves: tuple[MoveProgress, ...]
    states: Mapping[str, int]
    """How many there are of each state that occurs, in the order of a move's life."""
    rows: Amount
    bytes: Amount
    bytes_per_second: float | None
    lag_bytes: int | None
    eta: Eta
    """Until all is swept."""
    unattended: bool
    """Moves are due and no worker runs any."""
    lost: tuple[UUID, ...]
    """Aborted, and no other move has taken their clients over."""

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return all(one.ended for one in self.moves)


def overview(moves: Sequence[Move], around: Circumstances) -> Overview:
    """How far they are together, and how long the rest may take."""
    standing = tuple(progress_of(move) for move in moves)
    counted = Counter(move.state for move in moves)
    retried = {move.retries for move in moves}
    unattended = not around.paused and is_unattended(moves, around.now)
    rates = [one.bytes_per_second for one in standing if one.bytes_per_second is not None]
    lags = [one.lag_bytes for one in standing if one.lag_bytes is not None]
    # A move that another one retries would count twice.
    kept = [one for one in standing if one.move.state != "aborted"]
    return Overview(
        moves=standing,
        states={state: counted[state] for state in STATES if counted[state]},
        rows=_sum([one.rows for one in kept]),
        bytes=_sum([one.bytes for one in kept]),
        bytes_per_second=sum(rates) if rates else None,
        lag_bytes=max(lags) if lags else None,
        eta=time_left(standing, around, unattended=unattended),
        unattended=unattended,
        lost=tuple(
            move.id
            for move in moves
            if move.state == "aborted"
            and move.id not in retried
            and not (around.retrying and move.facts.get("retry"))
        ),
    )


def is_unattended(moves: Sequence[Move], now: datetime) -> bool:
    """Whether moves are due that nobody runs.

    A due move may wait for others on its shards; so it is enough that anybody holds any lease.
    """
    living = [move for move in moves if move.state not in ENDED]
    if any(move.lease_until is not None and move.lease_until > now for move in living):
        return False
    due = [_due_since(move) for move in living if move.wish != "pause"]
    signs = [move.lease_until or move.updated_at for move in living]
    overdue = [since for since in due if since <= now]
    return bool(overdue) and (now - max(*overdue, *signs)).total_seconds() > SILENT_SECONDS


def _due_since(move: Move) -> datetime:
    moments = [move.state_since, move.updated_at]
    if move.state == "switched" and move.sweep_after is not None:
        moments.append(move.sweep_after)
    if move.not_before is not None:
        moments.append(move.not_before)
    return max(moments)


def _sum(amounts: Sequence[Amount]) -> Amount:
    totals = [one.total for one in amounts]
    known = [total for total in totals if total is not None]
    done = sum(one.done for one in amounts)
    return Amount(done, sum(known) if len(known) == len(totals) else None)
