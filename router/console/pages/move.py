"""One move: its phases, its clients, and the buttons that end it or bring it back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from starlette.responses import RedirectResponse, Response

from router.console import rendering
from router.console.pages.rebalance import move_row, reason_of
from router.console.pages.shell import show_page
from router.console.visit import Visit
from services.errors import NotFound
from services.fleet import moves
from services.fleet.move_overview import STATES
from services.fleet.move_progress import BEFORE_SWITCH, progress_of
from services.fleet.moves import Move
from services.fleet.shards import as_id
from services.identity.principal import Caller
from services.resources import Data

_CLIENTS: Final = 100


@dataclass(frozen=True, slots=True)
class Order:
    """A button for a move; `among` are the states in which it is there."""

    verb: str
    title: str
    among: frozenset[str]
    what: str
    change: Callable[[Data, UUID, str | None, Caller | None], Awaitable[Move]]


ORDERS: Final = (
    Order(
        *("abort", "Abort", BEFORE_SWITCH),
        "It ends before its switch; its clients stay where they are, and nothing is lost.",
        moves.abort,
    ),
    Order(
        *("reverse", "Reverse", frozenset({"switched"})),
        "Its clients come back, with all that was written since the switch.",
        moves.reverse,
    ),
    Order(
        *("retry", "Retry", frozenset({"aborted"})),
        "A new move of its clients is ordered.",
        moves.retry,
    ),
)


async def show(visit: Visit) -> Response:
    """The page."""
    detail = await moves.detail(await visit.desk.data(), _named(visit))
    move = detail.move
    values: dict[str, Any] = {
        "detail": detail,
        "row": move_row(progress_of(move)),
        "phases": STATES[:-1],
        "taken": _taken(move),
        "clients": detail.clients[:_CLIENTS],
        "hidden": max(0, len(detail.clients) - _CLIENTS),
        "orders": [one for one in ORDERS if move.state in one.among],
    }
    return show_page(visit, "move", values)


async def change(visit: Visit) -> Response:
    """Push a button; leads to the move that is its outcome."""
    verb = visit.path_params["verb"]
    order = next((one for one in ORDERS if one.verb == verb), None)
    if order is None:
        raise NotFound
    reason = reason_of(await visit.fields())
    made = await order.change(await visit.desk.data(), _named(visit), reason, visit.caller)
    return RedirectResponse(f"/console/moves/{made.id}", 303, headers=rendering.HEADERS)


def _named(visit: Visit) -> UUID:
    found = as_id(visit.path_params["move_id"])
    if found is None:
        raise NotFound("There is no such move.")
    return found


def _taken(move: Move) -> Sequence[tuple[str, float]]:
    """Seconds in each phase that it has left, in their order."""
    phases = move.actual.get("phases") or {}
    return [(state, float(phases[state])) for state in STATES if state in phases]
