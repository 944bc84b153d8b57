"""Ring: each shard's part of the circle beside its part of the clients, and one shard more."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from router.console.pages.shell import show_page
from router.console.visit import Visit
from services.fleet.fleet_standing import fleet_standing
from services.fleet.ring_view import one_more, ring_shares


async def show(visit: Visit) -> Response:
    """The page."""
    shards = fleet_standing(visit.desk.resources).shards
    statistics = await visit.desk.statistics()
    # A ring of many shards takes a second to build; the last few are remembered.
    shares = await asyncio.to_thread(ring_shares, shards, statistics)
    further = await asyncio.to_thread(one_more, shares)
    widest = max((max(one.share, one.of_clients, one.of_bytes) for one in shares), default=1)
    return show_page(visit, "ring", {"shares": shares, "further": further, "widest": widest or 1})
