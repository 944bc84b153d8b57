"""Reports on a tenant.

Counting reads an index from end to end, so a report costs what the tenant has: a process counts a
tenant at most once in `FRESH_SECONDS`, callers at the same time share one count, and `as_of` says
of when it is. A tenant that cannot be counted within the server's statement_timeout gets no report,
and `ShardUnavailable` instead; docs/reports.md has figures.
"""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

from services.access.admission import TenantAccess
from services.committed import read
from services.expiring_cache import ExpiringCache
from services.resources import Resources
from shards import usage
from shards.usage import Usage, UsageReport

__all__ = ["FRESH_SECONDS", "Reports", "Usage", "UsageReport"]

FRESH_SECONDS = 60.0
_MAX_REPORTS = 2_000
_AT_ONCE = 2


class Reports:
    """What one process has counted lately."""

    def __init__(self) -> None:
        self._known: ExpiringCache[UUID, UsageReport] = ExpiringCache(_MAX_REPORTS)
        self._counting: dict[UUID, asyncio.Task[UsageReport]] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def usage(self, resources: Resources, access: TenantAccess) -> UsageReport:
        """What the client stores, at most `FRESH_SECONDS` ago; with a token, that write counted."""
        client_id = access.client_id
        if access.reading.after is not None:
            return await self._count(resources, access)
        known = self._known.get(client_id)
        if known is not None:
            return known
        task = self._counting.get(client_id)
        if task is None:
            task = asyncio.create_task(self._count(resources, access))
            self._counting[client_id] = task
            task.add_done_callback(lambda _: self._counting.pop(client_id, None))
        return await asyncio.shield(task)

    async def _count(self, resources: Resources, access: TenantAccess) -> UsageReport:
        async with self._turns:
            report = await read(resources, access.client_id, usage.report, access.reading)
        self._known.put(access.client_id, report, time.monotonic() + FRESH_SECONDS)
        return report
