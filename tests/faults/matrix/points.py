"""Where a move can be struck: before and after each step of the mover's own lists. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.fleet.moving import abort, steps, sweep, switch
from services.fleet.moving.transitions import State


class Route(StrEnum):
    """How a move comes to its steps."""

    FORWARD = "forward"
    """Ordered, carried through."""
    ABORT = "abort"
    """Cancelled on its way; struck while that is tidied up."""
    BACK = "back"
    """Ordered as the way back of one that has switched."""


@dataclass(frozen=True, slots=True)
class Point:
    """Before or after a step, on a route. `state` is the list's that has the step.

    `passes`: so many steps of that name come earlier on the route.
    """

    route: Route
    state: str
    step: str
    done: bool
    passes: int = 0

    def __str__(self) -> str:
        prefix = "" if self.route is Route.FORWARD else f"{self.route}."
        return f"{prefix}{self.state}.{self.step}.{'after' if self.done else 'before'}"


@dataclass(frozen=True, slots=True)
class Listed:
    """A step as the mover lists it."""

    state: str
    step: str


def _named(state: str, found: Sequence[steps.Step]) -> Iterator[Listed]:
    return (Listed(state, one.name) for one in found)


BEFORE_SWITCH = tuple(
    listed for state, found in steps.STEPS.items() for listed in _named(state, found)
)
AT_SWITCH = tuple(Listed(State.FENCED, name) for name in switch.STEPS)
BEHIND_SWITCH = tuple(_named(State.SWITCHED, (*sweep.LEAVING, *sweep.RETURNING, *sweep.SWEEPING)))
IN_ABORT = tuple(_named(State.ABORTED, abort.STEPS))
LISTED = (*BEFORE_SWITCH, *AT_SWITCH, *BEHIND_SWITCH, *IN_ABORT)
"""Every step that a mover has."""
SWEEPS = frozenset(one.name for one in sweep.SWEEPING)
"""What begins when the grace is over."""


def points() -> tuple[Point, ...]:
    """Every point of every route, in the order of a move."""
    ahead = (*BEFORE_SWITCH, *AT_SWITCH, *BEHIND_SWITCH)
    # A way back has its rows already: it begins with catching up.
    back = tuple(one for one in ahead if one.state != State.COPYING)
    routes = {Route.FORWARD: ahead, Route.ABORT: IN_ABORT, Route.BACK: back}
    return tuple(
        Point(route, one.state, one.step, done, [it.step for it in listed[:place]].count(one.step))
        for route, listed in routes.items()
        for place, one in enumerate(listed)
        for done in (False, True)
    )
