"""Restore points: moments to which all clusters can be restored with one placement.

Why holding three tables for an instant is enough. Placement is the directory (clients) and each
shard's residency. A move opens its target, and only when that COMMIT has returned does it commit
the new epoch in the global database (the commit point); a new client is admitted on its shard
before its row is inserted. So a shard's part is always committed before the directory's. The lock
of `hold_placement` is granted when every transaction that changed the directory has committed, and
its commit is then in the global WAL, before our point; what it rests on is in the shard's WAL even
earlier, before the shard's point, which is made while we hold the lock. Whoever wants to change the
directory later waits until every cluster has its point.

What is not promised: tenants' writes are not held, so points of two shards are not one cut through
them; and a move may be anywhere between two of its steps, as if its mover had died there. The
directory decides then, as ever: a target that is open at an epoch the directory does not name is
reached by nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg

from global_db import leases, restore_points
from global_db.cluster import Cluster
from global_db.errors import LockNotAvailable
from global_db.restore_points import Mark, RestorePoint
from services.audit import Event, record_global
from services.errors import Busy, ShardUnavailable
from services.failures import global_failures
from services.fleet.point_manifests import Manifests, open_manifests
from services.identity.principal import Origin
from services.ids import new_id
from services.resources import Data, Resources
from shards.registry import UnknownShard

__all__ = ["AUTOMATIC", "PointWish", "RestorePoint", "list_points", "make_point"]

_log = logging.getLogger(__name__)
AUTOMATIC = "automatic"
"""The label of those that the worker makes."""
_PATIENCE_MS = 300
_ATTEMPTS = 20
_PAUSE_SECONDS = 0.2
_HELD_SECONDS = 2.0
_KEPT = timedelta(days=40)
"""Longer than any backup is kept."""


@dataclass(frozen=True, slots=True)
class PointWish:
    """A point to make. Those of operators are audited, with their reason."""

    label: str = AUTOMATIC
    reason: str | None = None


async def make_point(data: Data, manifests: Manifests, wish: PointWish) -> RestorePoint:
    """Make a restore point on every cluster, and keep its manifest beside the backups, too.

    All or nothing: names that an abandoned attempt left in some clusters' WAL are used by nobody.

    Raises:
        Busy: placement was being changed all the time. ShardUnavailable: a cluster did not answer
        in time. DirectoryUnavailable, StorageUnavailable.
    """
    with global_failures():
        await data.registry.refresh()
        async with leases.hold(data.global_db, "restore point") as lease:
            if lease is None:
                raise Busy("Another restore point is being made.")
            point = await _patiently(data, wish)
        await _end_segments(data, point)
    await manifests.put(point)
    return point


async def make_automatic(resources: Resources) -> str:
    """One of the points that the worker makes; answers its name."""
    async with open_manifests(resources.settings) as manifests:
        name = (await make_point(resources.data, manifests, PointWish())).name
        await manifests.forget(datetime.now(UTC) - _KEPT)
        return name


async def list_points(data: Data, most: int = 500) -> list[RestorePoint]:
    """The last points, newest first.

    Raises:
        DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            return await restore_points.newest(connection, most)


async def _patiently(data: Data, wish: PointWish) -> RestorePoint:
    for _ in range(_ATTEMPTS):
        try:
            return await _made(data, wish, new_id())
        except (LockNotAvailable, psycopg.errors.LockNotAvailable):
            # Who queued behind our wait goes first.
            await asyncio.sleep(_PAUSE_SECONDS)
    raise Busy("The directory was being changed all the time.")


async def _made(data: Data, wish: PointWish, id_: UUID) -> RestorePoint:
    name = f"docshard-{id_}"
    async with data.global_db.write() as connection:
        shards = await restore_points.hold(connection, _PATIENCE_MS)
        marks = {"global": await restore_points.mark(connection, name)}
        marks |= await _marked(data, shards, name)
        point = await restore_points.insert(connection, id_, name, wish.label, marks)
        await restore_points.forget(connection, _KEPT)
        if wish.label != AUTOMATIC:
            image = {"label": wish.label, "name": name}
            event = Event("backup.point", "restore_point", id_, None, image)
            await record_global(connection, Origin(reason=wish.reason), event)
    return point


async def _marked(data: Data, shards: set[str], name: str) -> Mapping[str, Mark]:
    """The marks of all shards, within the time that others may be kept waiting."""
    try:
        clusters = [data.registry.any_cluster(shard) for shard in sorted(shards)]
        async with asyncio.timeout(_HELD_SECONDS):
            marks = await asyncio.gather(*(_mark(cluster, name) for cluster in clusters))
    except UnknownShard as error:
        raise Busy("A shard has just been added.") from error
    except TimeoutError as error:
        raise ShardUnavailable("A shard did not answer in time: no point was made.") from error
    return {cluster.name: mark for cluster, mark in zip(clusters, marks, strict=True)}


async def _mark(cluster: Cluster, name: str) -> Mark:
    async with cluster.write() as connection:
        return await restore_points.mark(connection, name)


async def _end_segments(data: Data, point: RestorePoint) -> None:
    """Have the WAL of the point archived at once, and not when its segment is full or old."""
    clusters = [data.global_db]
    clusters += [data.registry.any_cluster(name) for name in point.positions if name != "global"]

    async def end(cluster: Cluster) -> None:
        async with cluster.write() as connection:
            await restore_points.switch_wal(connection)

    for outcome in await asyncio.gather(*map(end, clusters), return_exceptions=True):
        if isinstance(outcome, Exception):
            _log.warning("a segment ends by archive_timeout: %s", outcome)
