"""Moves of tenants as events of a run, from what the directory keeps of each move."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict

from loadtests.runs.moments import Event, Kind

_LISTED: Final = 1000
_SECONDS: Final = 60.0
_BEFORE_FENCE: Final = ("copying", "catching_up", "verifying")


class NoMoves(Exception):
    """The history of moves cannot be read. The message says why."""


class _Actual(BaseModel):
    """What was measured; `phases` are seconds in each state, all tries together."""

    pause_ms: float | None = None
    phases: dict[str, float] = {}


class Move(BaseModel):
    """One move, as `docshard move list -o json` tells it."""

    model_config = ConfigDict(frozen=True)

    source: str
    target: str
    state: str
    state_since: datetime
    switched_at: datetime | None
    actual: _Actual


class _Listed(BaseModel):
    moves: tuple[Move, ...]


def history() -> tuple[Move, ...]:
    """The last moves of the fleet that the environment names, asked of the `docshard` command.

    Raises NoMoves when it does not answer.
    """
    command = [sys.executable, "-m", "deploy.cli.main", "move", "list"]
    try:
        done = subprocess.run(  # noqa: S603 - our own command, words and no shell
            [*command, "--limit", str(_LISTED), "-o", "json"],
            capture_output=True,
            check=True,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise NoMoves("The directory did not answer.") from error
    except subprocess.CalledProcessError as error:
        raise NoMoves(error.stderr.decode(errors="replace").strip()) from error
    return _Listed.model_validate_json(done.stdout).moves


def events(moves: Iterable[Move], started_at: datetime, seconds: float) -> Iterator[Event]:
    """What of these moves happened within a run: when copying began, fences, switches, aborts."""
    for move in moves:
        for when, kind, text in _moments(move):
            second = (when - started_at).total_seconds()
            if 0 <= second <= seconds:
                yield Event(second=second, kind=kind, text=f"{move.source} → {move.target}: {text}")


def _moments(move: Move) -> Iterator[tuple[datetime, Kind, str]]:
    if move.switched_at is not None:
        pause = move.actual.pause_ms or 0.0
        fenced = move.switched_at - timedelta(milliseconds=pause)
        yield _copying(move, fenced), Kind.COPY, "copying began"
        yield fenced, Kind.FENCE, "writers wait"
        yield move.switched_at, Kind.SWITCH, f"switched after a pause of {pause:.0f} ms"
    elif move.state == "aborted":
        yield move.state_since, Kind.NOTE, "aborted"


def _copying(move: Move, fenced: datetime) -> datetime:
    """When it began: a move is always in one state, so the seconds in those before the fence, those
    of all its tries, lead back to the first."""
    spent = sum(move.actual.phases.get(state, 0.0) for state in _BEFORE_FENCE)
    return fenced - timedelta(seconds=spent)
