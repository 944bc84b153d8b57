"""Reading every audit log at once: the global one and those of all tenants, merged by time.

Each source gives a page of its own from behind the cursor's position, and the newest of all are the
answer. The order (time, id) is total and the same everywhere, so one position serves every source,
and memory holds a page of each, no more.

A shard that does not answer in time is named, and its rows are missing from the page, and only
from this page: the position goes on with those who answered. Whoever needs them asks the same page
again.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from global_db import audit_pages as global_pages
from global_db.audit_pages import GlobalAuditEntry, GlobalAuditFilter
from global_db.audit_walk import AuditPosition, Walked
from global_db.connection import ReadConnection
from global_db.errors import ClusterError
from global_db.reads import read_from
from services.access.admission import GlobalAccess
from services.cursor import ListScope
from services.failures import global_failures
from services.pages import Page, PageRequest, start_of
from services.resources import Resources
from services.tenant.audit_logs import filters_of, next_cursor, place_of
from shards import audit_pages
from shards.placement import UnknownClient
from shards.registry import ShardBehind, UnknownShard

__all__ = ["GlobalAuditEntry", "GlobalAuditFilter", "MergedPage", "list_newest"]

_log = logging.getLogger(__name__)

SHARD_SECONDS = 2.0
"""How long one shard may take for its part of a page."""

Part = Walked[GlobalAuditEntry]


@dataclass(frozen=True, slots=True)
class MergedPage(Page[GlobalAuditEntry]):
    """A page, and which shards did not answer: their rows are missing from it."""

    unavailable: tuple[str, ...] = ()


async def list_newest(
    resources: Resources, access: GlobalAccess, wanted: GlobalAuditFilter, request: PageRequest
) -> MergedPage:
    """A page of entries, newest first; one that is short need not be the last.

    Raises:
        InvalidCursor. DirectoryUnavailable: without the global database there is no answer.
    """
    scope = ListScope("global_audit_logs", None, filters_of(wanted))
    cursors = resources.secrets.cursors
    before = place_of(await start_of(cursors, scope, request))
    reading = _Reading(resources, access, wanted, before, request.limit)
    shards = await _asked(resources, wanted.client_id)
    global_part, parts = await asyncio.gather(
        reading.global_log(), asyncio.gather(*(reading.shard(name) for name in shards))
    )
    answered = [global_part, *(part for part in parts if part is not None)]
    away = tuple(name for name, part in zip(shards, parts, strict=True) if part is None)
    merged = merge(answered, request.limit)
    return MergedPage(merged.rows, next_cursor(cursors, scope, merged.end), away)


def merge(parts: Sequence[Part], limit: int) -> Part:
    """The newest entries of all parts, as far as every part has looked. Pure."""
    # What lies behind the end of a part that goes on may be older than what that part has there.
    horizon = max((part.end for part in parts if part.end is not None), default=None)
    ordered = heapq.merge(*(part.rows for part in parts), key=_place, reverse=True)
    # A tenant at the switch of a move may be in two parts: the same entry counts once.
    rows = [next(same) for _, same in groupby(ordered, key=_place)]
    seen = [row for row in rows if horizon is None or _place(row) >= horizon]
    if len(seen) > limit:
        return Walked(seen[:limit], _place(seen[limit - 1]))
    return Walked(seen, horizon)


async def _asked(resources: Resources, client_id: UUID | None) -> list[str]:
    """Shards whose logs may hold what is wanted."""
    registry = resources.data.registry
    if client_id is None:
        return [shard.name for shard in registry.shards() if shard.status != "removed"]
    try:
        with global_failures():
            placement = await resources.data.placements.get(client_id)
    except UnknownClient:
        return []
    return [placement.shard]


@dataclass(frozen=True, slots=True)
class _Reading:
    resources: Resources
    access: GlobalAccess
    wanted: GlobalAuditFilter
    before: AuditPosition | None
    limit: int

    async def global_log(self) -> Part:
        async def work(connection: ReadConnection) -> Part:
            return await global_pages.newest(connection, self.wanted, self.before, self.limit)

        with global_failures():
            return await read_from(self.resources.data.global_db, self.access.directory, work)

    async def shard(self, name: str) -> Part | None:
        """The shard's part; None when it does not answer in time."""
        try:
            async with asyncio.timeout(SHARD_SECONDS):
                return await self._of_shard(name)
        except (ClusterError, ShardBehind, UnknownShard, TimeoutError) as error:
            _log.warning("the merged audit log goes without %s: %s", name, error)
            return None

    async def _of_shard(self, name: str) -> Part:
        async def work(connection: ReadConnection) -> Part:
            return await audit_pages.newest_of_all(connection, self.wanted, self.before, self.limit)

        cluster = self.resources.data.registry.cluster(name)
        return await read_from(cluster, self.access.reading, work)


def _place(entry: GlobalAuditEntry) -> AuditPosition:
    return AuditPosition(entry.created_at, entry.id)
