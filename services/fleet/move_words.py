"""Moves in the words of all who show them: the command and the console. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.fleet.move_eta import Eta
from services.fleet.move_overview import Overview
from services.fleet.move_progress import BEFORE_SWITCH, Amount, MoveProgress
from services.fleet.units import duration, size

NOBODY_RUNS = "nobody runs moves: start `docshard worker`"


def eta_words(eta: Eta) -> str:
    """The time left, or why nobody can tell."""
    if eta.low is None:
        return f"not known: {eta.why}"
    if eta.high is None:
        return f"{duration(eta.low)} at least; {eta.why}"
    because = f" ({eta.why})" if eta.why else ""
    return f"{duration(eta.low)} to {duration(eta.high)}{because}"


def states_words(states: Mapping[str, int]) -> str:
    """How many moves are in which state."""
    return ", ".join(f"{count:,} {state}" for state, count in states.items()) or "no moves"


def rows_words(amount: Amount) -> str:
    """Rows done, and of how many."""
    return f"{amount.done:,} of {_total(amount, '{:,}')} rows"


def bytes_words(amount: Amount) -> str:
    """Bytes done, and of how many."""
    total = "?" if amount.total is None else size(amount.total)
    return f"{size(amount.done)} of {total}"


def _total(amount: Amount, form: str) -> str:
    return "?" if amount.total is None else form.format(amount.total)


def move_steps(one: MoveProgress) -> list[str]:
    """What can be done with a move next."""
    state, name = one.move.state, one.move.id
    if state in BEFORE_SWITCH:
        return [f"docshard move show {name}", f"docshard move abort {name}"]
    if state == "switched":
        return [f"docshard move verify {name}", f"docshard move reverse {name}"]
    return [f"docshard move retry {name}"] if state == "aborted" else []


def rebalance_steps(state: str, whole: Overview) -> list[str]:
    """What can be done with a rebalance next."""
    runs = ["docshard worker"] if whole.unattended else []
    if state == "paused":
        return [*runs, "docshard rebalance resume", "docshard rebalance stop"]
    if state == "planned":  # its start goes on, or was killed: then nothing but its end is left
        return ["docshard rebalance watch", "docshard rebalance stop"]
    if state == "running":
        return [*runs, *(f"docshard rebalance {verb}" for verb in ("watch", "pause", "stop"))]
    if not whole.ended:
        return [*runs, "docshard rebalance watch"]
    lost = [step for name in whole.lost[:3] for step in _lost_steps(name)]
    return [*lost, "docshard rebalance list", "docshard doctor"]


def _lost_steps(name: UUID) -> Sequence[str]:
    return (f"docshard move show {name}", f"docshard move retry {name}")
