"""Replicas and pools: every server, how far it is behind, and how its connections are used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from router.console.desk import Desk
from router.console.pages.shell import LivePage
from services.fleet.fleet_standing import fleet_standing


async def values(desk: Desk) -> Mapping[str, Any]:
    """What is shown; nothing is asked of anybody for it."""
    fleet = fleet_standing(desk.resources)
    work = desk.work()
    return {"clusters": fleet.clusters, "works": {} if work is None else work.clusters}


PAGE = LivePage("replicas", values)
