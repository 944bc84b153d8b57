"""Moves in words: lines for people and logs, rows for programs. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from services.fleet.move_overview import Overview
from services.fleet.move_progress import BEFORE_SWITCH, MoveProgress
from services.fleet.move_words import NOBODY_RUNS, bytes_words, eta_words, rows_words, states_words
from services.fleet.units import size


@dataclass(frozen=True, slots=True)
class View:
    """What is being watched. `state` is a rebalance's, or that of single moves together.

    `ended`: nothing more will happen to it. `next_steps` are commands to paste.
    """

    what: str
    state: str
    overview: Overview
    ended: bool
    next_steps: tuple[str, ...]


def summary(view: View) -> str:
    """Everything in one line."""
    whole = view.overview
    parts = [f"{view.what} is {view.state}", states_words(whole.states)]
    parts += [rows_words(whole.rows), bytes_words(whole.bytes)]
    if whole.bytes_per_second is not None:
        parts.append(f"{size(whole.bytes_per_second)}/s")
    if whole.lag_bytes is not None:
        parts.append(f"lag {size(whole.lag_bytes)}")
    if not view.ended:
        parts.append(f"ETA {eta_words(whole.eta)}")
    return "; ".join(parts)


def move_line(one: MoveProgress) -> str:
    """One move in one line."""
    move = one.move
    parts = [f"{move.id}  {move.source} -> {move.target}  {move.state}"]
    if move.state in BEFORE_SWITCH and move.state != "planned":
        parts += [rows_words(one.rows), bytes_words(one.bytes)]
    if one.lag_bytes is not None:
        parts.append(f"lag {size(one.lag_bytes)}")
    if "pause_ms" in move.actual:
        parts.append(f"pause {move.actual['pause_ms']:.0f} ms")
    if move.fault:
        parts.append(f"fault: {move.fault}")
    return "  ".join(parts)


def changes(before: View | None, after: View) -> Iterator[str]:
    """What a log is told when one look follows another: moves that are in another state or have
    a new fault, and whether anybody runs them."""
    known = {} if before is None else {one.move.id: one.move for one in before.overview.moves}
    for one in after.overview.moves:
        old = known.get(one.move.id)
        fresh = old is None and one.move.state == "planned"
        if not fresh and (
            old is None or (old.state, old.fault) != (one.move.state, one.move.fault)
        ):
            yield move_line(one)
    unattended = before is not None and before.overview.unattended
    if after.overview.unattended and not unattended:
        yield NOBODY_RUNS


def move_document(one: MoveProgress) -> dict[str, Any]:
    """One move for programs."""
    move = one.move
    return {
        "id": move.id,
        "rebalance_id": move.rebalance_id,
        "source": move.source,
        "target": move.target,
        "state": move.state,
        "wish": move.wish,
        "rows": one.rows.done,
        "rows_total": one.rows.total,
        "bytes": one.bytes.done,
        "bytes_total": one.bytes.total,
        "bytes_per_second": one.bytes_per_second,
        "lag_bytes": one.lag_bytes,
        "predicted": move.predicted,
        "actual": move.actual,
        "attempts": move.attempts,
        "not_before": move.not_before,
        "fault": move.fault,
        "reverses": move.reverses,
        "retries": move.retries,
        "state_since": move.state_since,
        "switched_at": move.switched_at,
        "sweep_after": move.sweep_after,
        "created_at": move.created_at,
    }


def overview_document(whole: Overview) -> dict[str, Any]:
    """Moves together for programs."""
    return {
        "moves": len(whole.moves),
        "states": whole.states,
        "rows": whole.rows.done,
        "rows_total": whole.rows.total,
        "bytes": whole.bytes.done,
        "bytes_total": whole.bytes.total,
        "bytes_per_second": whole.bytes_per_second,
        "lag_bytes": whole.lag_bytes,
        "eta_seconds": asdict(whole.eta),
        "unattended": whole.unattended,
        "aborted_for_good": whole.lost,
    }
