"""Measuring what tenants store, now and then, a few at a time.

The worker calls `Measuring.run` every second. Each call measures one page of tenants of a few
shards, one after the other on one connection each, and puts them into the global database in one
statement; so nothing here is long or large, and stopping waits for nothing. A shard that was gone
through rests for long against what that took.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from global_db import client_statistics
from global_db.client_statistics import Size
from global_db.cluster import Cluster
from global_db.errors import ClusterError, StatementTimeout
from services.errors import ServiceError
from services.failures import global_failures
from services.resources import Data
from shards import sizes
from shards.registry import ShardBehind, UnknownShard
from shards.residency import Refused
from shards.sizes import Widths

_log = logging.getLogger(__name__)

PAGE = 100
"""Tenants measured of a shard in one call: some tenths of a second."""
SHARDS_AT_ONCE = 4
REST_FACTOR = 20
"""A shard rests so many times as long as measuring it took: measuring takes at most 5 % of one
connection's time there."""
SHORTEST_REST_SECONDS = 60.0
MAX_STALENESS_SECONDS = 300.0
"""How far behind a replica may be: sizes are no younger than that anyway."""
_NOBODY = UUID(int=0)


@dataclass(slots=True)
class _Visit:
    """How far measuring one shard is."""

    widths: Widths = field(default_factory=dict)
    after: UUID = _NOBODY
    busy_seconds: float = 0.0
    due: float = 0.0

    def rest(self, now: float) -> None:
        """Begin anew, later."""
        self.due = now + max(SHORTEST_REST_SECONDS, REST_FACTOR * self.busy_seconds)
        self.after, self.busy_seconds = _NOBODY, 0.0


class Measuring:
    """Goes through all shards again and again. What it remembers is lost with the process: another
    one begins anew, which harms nothing."""

    def __init__(
        self, data: Data, clock: Callable[[], float] = time.monotonic, page: int = PAGE
    ) -> None:
        self._data = data
        self._clock = clock
        self._page_tenants = page
        self._visits: dict[str, _Visit] = {}

    async def run(self) -> int:
        """Measure a page of tenants on each of a few shards; answers of how many tenants."""
        names = [shard.name for shard in self._data.registry.shards()]
        self._visits = {name: self._visits.get(name, _Visit()) for name in names}
        now = self._clock()
        due = sorted((one.due, name) for name, one in self._visits.items() if one.due <= now)
        pages = [self._page(name, self._visits[name]) for _, name in due[:SHARDS_AT_ONCE]]
        return sum(await asyncio.gather(*pages))

    async def _page(self, name: str, visit: _Visit) -> int:
        began = self._clock()
        try:
            measured = await self._measure(self._data.registry.cluster(name), visit)
        except (ClusterError, ServiceError, ShardBehind, UnknownShard) as error:
            _log.info("the tenants of %s are measured later: %s", name, error)
            visit.rest(self._clock())
            return 0
        # Shards take turns: who was measured stands behind those that waited.
        visit.due = self._clock()
        visit.busy_seconds += visit.due - began
        if measured < self._page_tenants:
            visit.rest(visit.due)
        return measured

    async def _measure(self, cluster: Cluster, visit: _Visit) -> int:
        async with cluster.read() as connection:
            if visit.after == _NOBODY:
                visit.widths = await sizes.row_widths(connection)
            page = await sizes.residents(connection, visit.after, self._page_tenants)
        if not page:
            return 0
        found = [await self._size(cluster, resident, visit.widths) for resident in page]
        await self._keep([size for size in found if size is not None])
        visit.after = page[-1].client_id
        return len(page)

    async def _size(
        self, cluster: Cluster, resident: sizes.Resident, widths: Widths
    ) -> Size | None:
        try:
            return await sizes.measure(cluster, resident, widths, MAX_STALENESS_SECONDS)
        except (Refused, StatementTimeout) as error:
            # Moved meanwhile, then it is measured where it lives; or in a poor state just now.
            _log.info("%s is measured later: %s", resident.client_id, error)
            return None

    async def _keep(self, found: list[Size]) -> None:
        with global_failures():
            async with self._data.global_db.write() as connection:
                await client_statistics.keep(connection, found)
