"""The states of a move, and what follows a take-over or a failure in each. Pure.

planned → copying → catching_up → verifying → fenced → switched → swept
             ↑___________|____________|          |
             |                        ↑__________|   (writers held their locks: nothing fenced)
any of these before switched → aborted
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a move is."""

    PLANNED = "planned"
    COPYING = "copying"
    CATCHING_UP = "catching_up"
    VERIFYING = "verifying"
    FENCED = "fenced"
    SWITCHED = "switched"
    SWEPT = "swept"
    ABORTED = "aborted"


class Trouble(StrEnum):
    """How a run failed."""

    NOT_NOW = "not_now"
    """Something is not ready, or did not answer: what was done so far holds."""
    WORTHLESS = "worthless"
    """The copy cannot be trusted: a failover, rows that differ, a stream that was cut off."""


FOLLOWING: Mapping[State, frozenset[State]] = {
    State.PLANNED: frozenset({State.COPYING, State.CATCHING_UP, State.ABORTED}),
    State.COPYING: frozenset({State.CATCHING_UP, State.ABORTED}),
    State.CATCHING_UP: frozenset({State.COPYING, State.VERIFYING, State.ABORTED}),
    State.VERIFYING: frozenset({State.COPYING, State.FENCED, State.ABORTED}),
    State.FENCED: frozenset({State.VERIFYING, State.SWITCHED, State.ABORTED}),
    State.SWITCHED: frozenset({State.SWEPT}),
    State.SWEPT: frozenset(),
    State.ABORTED: frozenset(),
}
"""Which states may follow which. From `planned` the way back goes on at `catching_up`."""

ENDED = frozenset({State.SWEPT, State.ABORTED})
BEFORE_SWITCH = frozenset(state for state, then in FOLLOWING.items() if State.ABORTED in then)
_STREAMING = frozenset({State.CATCHING_UP, State.VERIFYING})
# Tenants may be closed, or their rows are in two places: soon again, however often it failed.
_URGENT = frozenset({State.FENCED, State.ABORTED, State.SWITCHED})
_LONGEST_SECONDS: Mapping[bool, float] = {True: 5.0, False: 60.0}
_FIRST_SECONDS = 0.5
# So many failures in a row: then the stream is not trusted to come back, or the whole move is not.
_TRIES_OF_STREAM = 3
_TRIES_OF_MOVE = 8


@dataclass(frozen=True, slots=True)
class Reaction:
    """What follows a failure: the state to go on in, after so many seconds."""

    state: State
    seconds: float


def taken_over(state: State, *, same_servers: bool) -> State:
    """Where a new run goes on. `same_servers`: neither source nor target has failed over since.

    A copy that was interrupted is begun again: its snapshot went with the runner. A switch that was
    interrupted is given up: its callers have waited long enough, and after the abort they write.
    """
    if state is State.FENCED:
        return State.ABORTED
    if state in _STREAMING and not same_servers:
        return State.COPYING
    return state


def after_trouble(state: State, trouble: Trouble, attempts: int) -> Reaction:
    """What to do after the failure number `attempts` in a row in this state."""
    seconds = min(_FIRST_SECONDS * 2.0 ** min(attempts - 1, 16), _LONGEST_SECONDS[state in _URGENT])
    if state is State.FENCED:
        return Reaction(State.ABORTED, seconds)
    if state in {State.COPYING} | _STREAMING:
        if attempts >= _TRIES_OF_MOVE:
            return Reaction(State.ABORTED, seconds)
        stream_is_lost = state in _STREAMING and attempts >= _TRIES_OF_STREAM
        if trouble is Trouble.WORTHLESS or stream_is_lost:
            return Reaction(State.COPYING, seconds)
    return Reaction(state, seconds)
