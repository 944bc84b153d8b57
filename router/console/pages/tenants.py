"""Tenants: where is one, who stores most and who is served most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from router.console import charts
from router.console.charts import Chart, Labels
from router.console.pages.shell import show_page
from router.console.visit import Visit
from services.errors import NotFound
from services.fleet.shards import Located, locate
from services.fleet.statistics import ORDERS, ClientStatistics, Order, statistics_of, top_clients
from services.fleet.units import size
from services.resources import Data

_TOP: Final = 20
_RANKED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Found:
    """A tenant: where the directory and its shard say that it is, and what is known of it."""

    place: Located
    statistics: ClientStatistics

    @property
    def agrees(self) -> bool:
        """Whether the shard says the same as the directory (I6)."""
        return self.place.residency is None or self.place.residency[0] == self.place.epoch


@dataclass(frozen=True, slots=True)
class Rank:
    """One row of the plot's table."""

    rank: int
    bytes: int
    code: str


async def show(visit: Visit) -> Response:
    """The page; with `name` it answers where that tenant is."""
    name = visit.query_params.get("name", "").strip()[:200]
    order = order_of(visit.query_params.get("by"))
    data = await visit.desk.data()
    ranked = await top_clients(data, "bytes", _RANKED)
    values: dict[str, Any] = {
        "name": name,
        "order": order,
        "orders": ORDERS,
        "top": (ranked if order == "bytes" else await top_clients(data, order, _TOP))[:_TOP],
        "chart": rank_size(ranked),
        "ranks": ranks(ranked),
        "most": _RANKED,
        "found": None,
        "absent": None,
    }
    if name:
        try:
            values["found"] = await _find(data, name)
        except NotFound as error:
            values["absent"] = error.detail
    return show_page(visit, "tenants", values)


async def _find(data: Data, name: str) -> Found:
    place = await locate(data, name)
    known = await statistics_of(data, place.client_id)
    if known is None:
        raise NotFound(f"There is no client {name}.")
    return Found(place, known)


def order_of(wished: str | None) -> Order:
    """What the largest are the largest of. Pure."""
    return next((one for one in ORDERS if one == wished), ORDERS[0])


def rank_size(ranked: Sequence[ClientStatistics]) -> Chart | None:
    """Bytes over rank. Pure."""
    labels = Labels(x="{:,.0f}".format, y=size)
    return charts.rank_size([one.bytes or 0 for one in ranked], labels)


def ranks(ranked: Sequence[ClientStatistics]) -> list[Rank]:
    """Ranks 1, 2, 5, 10, 20, 50 and so on: the plot in a few rows. Pure."""
    found, rank, steps = [], 1, (2, 2.5, 2)
    while rank <= len(ranked):
        one = ranked[rank - 1]
        found.append(Rank(rank, one.bytes or 0, one.code))
        rank = int(rank * steps[len(found) % 3 - 1])
    return found
