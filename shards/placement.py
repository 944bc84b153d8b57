"""Placements in memory: a bounded cache with a lease.

A stale entry is harmless, because the shard itself refuses a wrong epoch (I3). The lease bounds how
long a changed status goes unnoticed; notifications make it moments.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from uuid import UUID
from weakref import WeakValueDictionary

from global_db import directory
from global_db.cluster import Cluster
from global_db.connection import ReadConnection
from global_db.directory import Placement
from global_db.errors import ClusterError

Locate = Callable[[ReadConnection, UUID], Awaitable[Placement | None]]


class UnknownClient(Exception):
    """The directory, asked on the global primary, knows no such client of this id."""


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """`entries` at most; an entry counts as fresh for `lease_seconds`, and while the global
    database is away it may be used for `stale_seconds`."""

    entries: int = 100_000
    lease_seconds: float = 2.0
    stale_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class _Entry:
    placement: Placement
    fetched_at: float


class PlacementCache:
    """Where clients live, as far as this process knows.

    `locate` asks the directory: for living clients alone, unless it is told otherwise.
    """

    def __init__(
        self,
        global_db: Cluster,
        limits: CacheLimits,
        clock: Callable[[], float] = time.monotonic,
        locate: Locate = directory.locate,
    ) -> None:
        self._global_db = global_db
        self._limits = limits
        self._clock = clock
        self._locate = locate
        self._entries: OrderedDict[UUID, _Entry] = OrderedDict()
        self._fetching: dict[UUID, asyncio.Task[Placement]] = {}
        self.hits = self.misses = 0
        """How often memory alone answered, and how often the directory was asked first."""

        self._asked_at = -inf
        # Kept by those who wait for one, and by nobody else.
        self._changes: WeakValueDictionary[UUID, asyncio.Event] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def usable(self) -> bool:
        """Whether some placement would serve while the directory cannot be asked."""
        age = self._clock() - self._asked_at
        return bool(self._entries) and age < self._limits.stale_seconds

    async def get(self, client_id: UUID) -> Placement:
        """The placement, from memory while its lease lasts.

        Raises:
            UnknownClient: no client that may be located has this id.
            ClusterError: the directory cannot be asked and nothing usable is in memory.
        """
        entry = self._entries.get(client_id)
        if entry is None:
            self.misses += 1
            return await self.fetch(client_id)
        self._entries.move_to_end(client_id)
        age = self._clock() - entry.fetched_at
        if age < self._limits.lease_seconds:
            self.hits += 1
            return entry.placement
        self.misses += 1
        try:
            return await self.fetch(client_id)
        except ClusterError:
            if age < self._limits.stale_seconds:
                return entry.placement
            raise

    async def fetch(self, client_id: UUID) -> Placement:
        """Ask the directory; callers that ask for the same client together share one query."""
        task = self._fetching.get(client_id)
        if task is None:
            task = asyncio.create_task(self._fetch(client_id))
            self._fetching[client_id] = task
            task.add_done_callback(lambda _: self._fetching.pop(client_id, None))
        return await asyncio.shield(task)

    def forget(self, client_id: UUID) -> None:
        """Drop one entry: its client was changed; who waits for that hears it."""
        self._entries.pop(client_id, None)
        change = self._changes.pop(client_id, None)
        if change is not None:
            change.set()

    def next_change(self, client_id: UUID) -> asyncio.Event:
        """Is set when the client is announced as changed the next time. Taken before the directory
        is asked it misses nothing that the answer does not have yet."""
        return self._changes.setdefault(client_id, asyncio.Event())

    def forget_all(self) -> None:
        """Drop every entry's lease; the entries stay usable should the directory be away."""
        for client_id, entry in self._entries.items():
            self._entries[client_id] = _Entry(
                entry.placement, min(entry.fetched_at, self._clock() - self._limits.lease_seconds)
            )

    async def _fetch(self, client_id: UUID) -> Placement:
        asked_at = self._clock()
        async with self._global_db.read() as connection:
            placement = await self._locate(connection, client_id)
        if placement is None:
            self.forget(client_id)
            raise UnknownClient(str(client_id))
        self._entries[client_id] = _Entry(placement, asked_at)
        self._asked_at = max(self._asked_at, asked_at)
        self._entries.move_to_end(client_id)
        while len(self._entries) > self._limits.entries:
            self._entries.popitem(last=False)
        return placement
