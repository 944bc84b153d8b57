"""How much room a tenant has left of what it may store.

What a tenant stores is counted in the transaction that adds to it, and only where it has a limit. A
count walks an index, so it costs the more the more there is: one process counts a tenant once at a
time, how often is bounded by what counting took, and far from the limit it is every few seconds. In
between it adds what it stored itself. So a small tenant is held to the last one, but for what is
stored at the same moment; others may pass their limit by what is stored elsewhere meanwhile, and
are held from the next count on.

No write fails, or waits for long, because there is much to count: what takes longer than a second
is counted behind the writes, which are held to the last count meanwhile, and to none while there
is none yet.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from typing import Final
from uuid import UUID

from global_db.bounded import TookTooLong
from global_db.connection import WriteConnection
from global_db.directory import Placement
from global_db.errors import ClusterError
from shards.counting import Kind, count_inside
from shards.registry import ShardBehind, UnknownShard
from shards.residency import Refused

_log = logging.getLogger(__name__)

REST_FACTOR: Final = 20
"""What was counted is believed so many times as long as counting took."""
FAR_SECONDS: Final = 5.0
FAR: Final[dict[Kind, int]] = {"documents": 1_000, "bytes": 10 * 1024**3}
"""With so much room left it is believed for `FAR_SECONDS`: nobody stores that much meanwhile."""
QUICK_SECONDS: Final = 1.0
"""A write waits so long for a count; it may have to wait for others at a shard that is busy."""
_AGAIN_SECONDS: Final = 5.0  # after a count that failed
_MOST: Final = 10_000

Behind = Callable[[Placement, Kind], Awaitable[int]]


class NoRoom(Exception):
    """The tenant would store more than it may: `limit` of `kind`."""

    def __init__(self, kind: Kind, limit: int) -> None:
        super().__init__(f"{limit} {kind}")
        self.kind: Kind = kind
        self.limit = limit


@dataclass(slots=True)
class _Known:
    """What was counted, and added since; `until` then it is believed, far from a limit longer.

    `slow`: counting takes longer than a write may wait, so it is done behind the writes.
    """

    used: int = 0
    counted_at: float = -inf
    until: float = -inf
    slow: bool = False
    counting: asyncio.Lock = field(default_factory=asyncio.Lock)
    behind: asyncio.Task[None] | None = None

    def learn(self, used: int, now: float, seconds: float) -> None:
        """What a count said that took so long."""
        self.used, self.counted_at = used, now
        self.until = now + REST_FACTOR * seconds

    def serves(self, now: float, limit: int, wanted: int, far: int) -> bool:
        """Whether it may be believed now."""
        room = limit - self.used - wanted
        return now < self.until or (room >= far and now < self.counted_at + FAR_SECONDS)


class Rooms:
    """What one process knows of tenants with limits; of many it forgets those asked longest ago.

    `behind` counts behind the writes; without it they are held to what was counted last.
    """

    def __init__(
        self,
        behind: Behind | None = None,
        clock: Callable[[], float] = time.monotonic,
        quick_seconds: float = QUICK_SECONDS,
    ) -> None:
        self.slow: Counter[Kind] = Counter()
        """Counts that a write did not wait for."""
        self._behind = behind
        self._clock = clock
        self._quick_seconds = quick_seconds
        self._known: OrderedDict[tuple[UUID, Kind], _Known] = OrderedDict()
        # One at a time: they are long, and connections are few (I9).
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Count no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def take(
        self, connection: WriteConnection, whose: Placement, kind: Kind, wanted: int, limit: int
    ) -> None:
        """Take room for what this transaction adds.

        Raises:
            NoRoom.
        """
        known = await self.check(connection, whose, kind, wanted, limit)
        known.used += wanted

    def give_back(self, client_id: UUID, kind: Kind, number: int) -> None:
        """Something was removed in this process; what others remove shows at the next count."""
        known = self._known.get((client_id, kind))
        if known is not None:
            known.used -= number

    async def check(
        self, connection: WriteConnection, whose: Placement, kind: Kind, wanted: int, limit: int
    ) -> _Known:
        """See that there is room, and take none yet.

        Raises:
            NoRoom.
        """
        known = self._of(whose.client_id, kind)
        if not known.serves(self._clock(), limit, wanted, FAR[kind]):
            # Whoever comes while one counts takes that one's count: a hundred counts at a time
            # would each take a hundred times as long, and every connection (I9).
            async with known.counting:
                if not known.serves(self._clock(), limit, wanted, FAR[kind]):
                    await self._renew(connection, whose, kind, known)
        if known.used + wanted > limit:
            raise NoRoom(kind, limit)
        return known

    def _of(self, client_id: UUID, kind: Kind) -> _Known:
        known = self._known.setdefault((client_id, kind), _Known())
        self._known.move_to_end((client_id, kind))
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        return known

    async def _renew(
        self, connection: WriteConnection, whose: Placement, kind: Kind, known: _Known
    ) -> None:
        if not known.slow:
            began = self._clock()
            try:
                used = await count_inside(connection, whose.client_id, kind, self._quick_seconds)
            except TookTooLong:
                known.slow = True
                _log.warning(
                    "the %s of %s take long to count: until that is done behind its writes, the"
                    " last count holds",
                    *(kind, whose.client_id),
                )
            else:
                now = self._clock()
                known.learn(used, now, now - began)
                return
        self.slow[kind] += 1
        if self._behind is not None and known.behind is None:
            known.behind = asyncio.create_task(self._count_behind(self._behind, whose, kind, known))
            self._tasks.add(known.behind)
            known.behind.add_done_callback(self._tasks.discard)

    async def _count_behind(
        self, behind: Behind, whose: Placement, kind: Kind, known: _Known
    ) -> None:
        try:
            async with self._turn:
                began = self._clock()
                used = await behind(whose, kind)
                now = self._clock()
                # Ids are in the order of time, so what was stored meanwhile is on the last pages:
                # to add it would count it twice, and refuse what there is room for.
                known.learn(used, now, now - began)
                known.slow = now - began > self._quick_seconds
        except (ClusterError, Refused, ShardBehind, UnknownShard) as error:
            known.until = self._clock() + _AGAIN_SECONDS
            _log.warning("the %s of %s are counted later: %s", kind, whose.client_id, error)
        finally:
            known.behind = None


class Room:
    """What one transaction may add to its tenant. Without a limit nothing is asked."""

    def __init__(self, rooms: Rooms, connection: WriteConnection, whose: Placement) -> None:
        self._rooms = rooms
        self._connection = connection
        self._whose = whose

    async def take_documents(self, number: int) -> None:
        """Take room for more living documents. Raises NoRoom."""
        limit = self._whose.quota.max_documents
        if limit is not None:
            await self._rooms.take(self._connection, self._whose, "documents", number, limit)

    def give_documents_back(self, number: int) -> None:
        """So many documents live no longer."""
        self._rooms.give_back(self._whose.client_id, "documents", number)

    async def check_bytes(self, size: int) -> None:
        """See that there is room for so many more bytes. Raises NoRoom."""
        limit = self._whose.quota.max_bytes
        if limit is not None:
            await self._rooms.check(self._connection, self._whose, "bytes", size, limit)

    async def take_bytes(self, size: int) -> None:
        """Take room for more bytes of content. Raises NoRoom."""
        limit = self._whose.quota.max_bytes
        if limit is not None:
            await self._rooms.take(self._connection, self._whose, "bytes", size, limit)
