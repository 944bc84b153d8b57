"""Rebalance: what is moving, what would move, and the buttons that change it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import RedirectResponse, Response

from router.console import charts, rendering
from router.console.charts import Chart, Labels
from router.console.desk import Desk
from router.console.lag import LagSample
from router.console.pages.shell import LivePage, show_page
from router.console.visit import Visit
from services.errors import NotFound, Overloaded
from services.fleet import rebalances
from services.fleet.move_overview import STATES
from services.fleet.move_progress import MoveProgress, switch_seconds
from services.fleet.planning import Goal, Plan, make_plan
from services.fleet.rebalance_standing import Standing, history
from services.fleet.rebalances import Rebalance
from services.fleet.units import duration, size
from services.identity.principal import Caller
from services.resources import Data

_SHOWN: Final = 50
_HISTORY: Final = 8
_FLOWS: Final = 40
_LONGEST_REASON: Final = 500
_LEAST_BYTES: Final = 4096.0
"""Bytes up to which the axis goes at least: less is none."""
_PATH: Final = "/console/rebalance"


@dataclass(frozen=True, slots=True)
class Order:
    """A button: what it does, in which states it is there, and the command that does the same."""

    verb: str
    title: str
    among: tuple[str, ...]
    what: str
    change: Callable[[Data, str | None, Caller | None], Awaitable[Rebalance]]

    @property
    def command(self) -> str:
        """To paste into a terminal."""
        return f"docshard rebalance {self.verb}"


ORDERS: Final = (
    Order(
        *("pause", "Pause", ("running",)),
        "Moves that are not fenced yet rest where they are; what is switched is still swept.",
        rebalances.pause,
    ),
    Order(
        *("resume", "Resume", ("paused",)),
        "Workers run its moves again.",
        rebalances.resume,
    ),
    Order(
        *("stop", "Abort the rebalance", ("planned", "running", "paused")),
        "Moves that are not fenced yet are aborted for good; what is switched stays switched.",
        rebalances.stop,
    ),
)


@dataclass(frozen=True, slots=True)
class MoveRow:
    """A move, with what was foreseen beside what it took. None: not known (yet)."""

    one: MoveProgress
    phase: int
    seconds: float | None
    foreseen_seconds: float | None
    pause_ms: float | None
    foreseen_pause_ms: float | None


def move_row(one: MoveProgress) -> MoveRow:
    """Put both beside each other. Pure."""
    move = one.move
    return MoveRow(
        one,
        STATES.index(move.state),
        switch_seconds(move),
        _number(move.predicted, "seconds"),
        _number(move.actual, "pause_ms"),
        _number(move.predicted, "pause_ms"),
    )


def in_view(moves: Sequence[MoveProgress]) -> list[MoveProgress]:
    """The moves that are worth a line, those at work first. Pure."""
    order = ("fenced", "verifying", "catching_up", "copying", "switched", "planned", "aborted")
    ranks = {state: place for place, state in enumerate(order)}
    return sorted(moves, key=lambda one: ranks.get(one.move.state, len(order)))[:_SHOWN]


async def values(desk: Desk) -> Mapping[str, Any]:
    """What is shown."""
    found = await desk.rebalance()
    looks = [] if found is None else desk.lags.seen(time.monotonic(), found)
    return {
        "standing": found,
        "rows": [] if found is None else [move_row(one) for one in in_view(found.overview.moves)],
        "orders": [] if found is None else _due(found),
        "phases": STATES[:-1],
        "curves": curves(looks),
        "looks": looks[-1:-11:-1],
        "newest": looks[-1].at if looks else 0,
        "history": await history(await desk.data(), _HISTORY),
    }


@dataclass(frozen=True, slots=True)
class Curve:
    """One figure over the time that somebody has looked: a picture, and for who draws it anew its
    `numbers`, in seconds before the last look and bytes."""

    label: str
    chart: Chart
    numbers: Mapping[str, Any]


def curves(looks: Sequence[LagSample]) -> list[Curve]:
    """Lag and rate, each as soon as it was seen twice. Pure."""
    lag = [(one.at, float(one.lag_bytes)) for one in looks if one.lag_bytes is not None]
    rate = [(one.at, one.bytes_per_second) for one in looks if one.bytes_per_second is not None]
    both = (_curve("Lag", "", lag), _curve("Rate", "/s", rate))
    return [one for one in both if one is not None]


def _curve(label: str, unit: str, samples: Sequence[tuple[float, float]]) -> Curve | None:
    end = samples[-1][0] if samples else 0.0
    labels = Labels(x=lambda at: _ago(end - at), y=lambda value: f"{size(value)}{unit}")
    chart = charts.over_time(samples, labels, least=_LEAST_BYTES)
    if chart is None:
        return None
    numbers = {
        "label": label.lower(),
        "unit": unit,
        "least": _LEAST_BYTES,
        "data": [[round(at - end, 1) for at, _ in samples], [round(value) for _, value in samples]],
    }
    return Curve(label, chart, numbers)


async def plan(visit: Visit) -> Response:
    """What a plan would move, and what that takes; nothing is changed by it."""
    wished = visit.query_params.get("goal")
    goal = next((one for one in Goal if one.value == wished), Goal.RING)
    made = await _planned(visit.desk, goal)
    flows = made.flows()
    values = {"goal": goal, "goals": tuple(Goal), "plan": made}
    more = {"flows": flows[:_FLOWS], "hidden": max(0, len(flows) - _FLOWS)}
    return show_page(visit, "plan", values | more)


async def change(visit: Visit) -> Response:
    """Push a button."""
    verb = visit.path_params["verb"]
    order = next((one for one in ORDERS if one.verb == verb), None)
    if order is None:
        raise NotFound
    reason = reason_of(await visit.fields())
    await order.change(await visit.desk.data(), reason, visit.caller)
    return RedirectResponse(f"{_PATH}?told={verb}", 303, headers=rendering.HEADERS)


def reason_of(fields: Mapping[str, str]) -> str | None:
    """The operator's words for the audit log. Pure."""
    return fields.get("reason", "").strip()[:_LONGEST_REASON] or None


async def _planned(desk: Desk, goal: Goal) -> Plan:
    if desk.planning.locked():
        raise Overloaded("Another plan is being made here: try again in a moment.")
    async with desk.planning:
        return await make_plan(await desk.data(), goal)


def _due(found: Standing) -> list[Order]:
    return [one for one in ORDERS if found.rebalance.state in one.among]


def _number(told: Mapping[str, Any], name: str) -> float | None:
    value = told.get(name)
    return float(value) if isinstance(value, (int, float)) else None


def _ago(seconds: float) -> str:
    return "now" if seconds < 1 else f"-{duration(seconds)}"


PAGE = LivePage("rebalance", values)
