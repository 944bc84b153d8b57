"""On which timeline a restored cluster has to begin, so that nobody takes it for the lost one.

A restored server promotes to the timeline behind those whose history files the repository has. The
lost cluster may have failed over since, with its store away: then both have the same number, and
what proves a read's place by timeline and LSN (Consistency-Token) would be believed of the wrong
history; and routers that have seen the higher number would never follow the restored server.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.errors import ServiceError
from services.fleet.point_manifests import open_manifests
from services.fleet.restore_points import list_points
from services.fleet.restored_fleet import side_cluster
from services.resources import open_data
from services.settings import DatabaseRole, Settings

_UNSEEN = 2
"""One failover more than the last restore point has seen, and then the restored server's own."""


async def promotions_lacking(settings: Settings, ports: Mapping[str, int]) -> dict[str, int]:
    """How often each restored server, which runs at a loopback port, has to be promoted still.

    Restore points tell, every five minutes, on which timeline each cluster was.
    """
    known = await _known(settings, living="global" not in ports)
    lacking = {}
    for name, port in ports.items():
        async with side_cluster(settings, name, port, DatabaseRole.ADMIN) as cluster:
            place = cluster.primary().place
        present = 0 if place is None or place.timeline is None else place.timeline
        lacking[name] = max(0, known.get(name, 0) + _UNSEEN - present)
    return lacking


async def _known(settings: Settings, *, living: bool) -> dict[str, int]:
    """By cluster, as the newest points have it: those in the buckets, and in the directory."""
    points = []
    if living:
        async with open_data(settings, DatabaseRole.ADMIN) as data:
            points += await list_points(data, 1)
    try:
        async with open_manifests(settings) as manifests:
            points += [point] if (point := await manifests.newest()) else []
    except ServiceError:
        pass  # without the buckets, what the directory has
    found: dict[str, int] = {}
    for point in points:
        for name, position in point.positions.items():
            found[name] = max(found.get(name, 0), int(position["timeline"]))
    return found
