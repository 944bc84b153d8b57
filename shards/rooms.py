"""How much room a tenant has left of what it may store.

What a tenant stores is counted in the transaction that adds to it, and only where it has a limit. A
count walks an index, so it costs the more the more there is: one process counts a tenant once at a
time, how often is bounded by what counting took, and far from the limit it is every few seconds. In
between it adds what it stored itself. So a small tenant is held to the last one, but for what is
stored at the same moment; others may pass their limit by what is stored elsewhere meanwhile, and
are held from the next count on.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal
from uuid import UUID

import sqlalchemy as sa

from global_db.columns import living
from global_db.connection import WriteConnection
from global_db.quotas import Quota
from global_db.statement import write
from shards.tables import document_versions, documents

Kind = Literal["documents", "bytes"]

REST_FACTOR: Final = 20
"""What was counted is believed so many times as long as counting took."""
FAR_SECONDS: Final = 5.0
FAR: Final[dict[Kind, int]] = {"documents": 1_000, "bytes": 10 * 1024**3}
"""With so much room left it is believed for `FAR_SECONDS`: nobody stores that much meanwhile."""
_MOST: Final = 10_000

_CLIENT = sa.bindparam("client_id", type_=sa.Uuid)
_COUNTS: Final = {
    "documents": write(
        sa.select(sa.func.count().label("used"))
        .select_from(documents)
        .where(documents.c.client_id == _CLIENT, living(documents))
    ),
    "bytes": write(
        sa.select(
            sa.cast(
                sa.func.coalesce(sa.func.sum(document_versions.c.size), 0), sa.BigInteger
            ).label("used")
        ).where(document_versions.c.client_id == _CLIENT)
    ),
}


class NoRoom(Exception):
    """The tenant would store more than it may: `limit` of `kind`."""

    def __init__(self, kind: Kind, limit: int) -> None:
        super().__init__(f"{limit} {kind}")
        self.kind: Kind = kind
        self.limit = limit


@dataclass(slots=True)
class _Known:
    """What was counted, and added since; `until` then it is believed, far from a limit longer."""

    used: int = 0
    counted_at: float = -inf
    until: float = -inf
    counting: asyncio.Lock = field(default_factory=asyncio.Lock)

    def serves(self, now: float, limit: int, wanted: int, far: int) -> bool:
        """Whether it may be believed now."""
        room = limit - self.used - wanted
        return now < self.until or (room >= far and now < self.counted_at + FAR_SECONDS)


class Rooms:
    """What one process knows of tenants with limits; of many it forgets those asked longest ago."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[UUID, Kind], _Known] = OrderedDict()

    async def take(
        self, connection: WriteConnection, client_id: UUID, kind: Kind, wanted: int, limit: int
    ) -> None:
        """Take room for what this transaction adds.

        Raises:
            NoRoom.
        """
        known = await self.check(connection, client_id, kind, wanted, limit)
        known.used += wanted

    def give_back(self, client_id: UUID, kind: Kind, number: int) -> None:
        """Something was removed in this process; what others remove shows at the next count."""
        known = self._known.get((client_id, kind))
        if known is not None:
            known.used -= number

    async def check(
        self, connection: WriteConnection, client_id: UUID, kind: Kind, wanted: int, limit: int
    ) -> _Known:
        """See that there is room, and take none yet.

        Raises:
            NoRoom.
        """
        known = self._of(client_id, kind)
        if not known.serves(self._clock(), limit, wanted, FAR[kind]):
            # Whoever comes while one counts takes that one's count: a hundred counts at a time
            # would each take a hundred times as long, and every connection (I9).
            async with known.counting:
                if not known.serves(self._clock(), limit, wanted, FAR[kind]):
                    await self._count(connection, client_id, kind, known)
        if known.used + wanted > limit:
            raise NoRoom(kind, limit)
        return known

    def _of(self, client_id: UUID, kind: Kind) -> _Known:
        known = self._known.setdefault((client_id, kind), _Known())
        self._known.move_to_end((client_id, kind))
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        return known

    async def _count(
        self, connection: WriteConnection, client_id: UUID, kind: Kind, known: _Known
    ) -> None:
        began = self._clock()
        row = await connection.returning(_COUNTS[kind], client_id=client_id)
        known.counted_at = now = self._clock()
        known.until = now + REST_FACTOR * (now - began)
        known.used = 0 if row is None else int(row["used"])


class Room:
    """What one transaction may add to its tenant. Without a limit nothing is asked."""

    def __init__(
        self, rooms: Rooms, connection: WriteConnection, client_id: UUID, quota: Quota
    ) -> None:
        self._rooms = rooms
        self._connection = connection
        self._client_id = client_id
        self._quota = quota

    async def take_documents(self, number: int) -> None:
        """Take room for more living documents. Raises NoRoom."""
        limit = self._quota.max_documents
        if limit is not None:
            await self._rooms.take(self._connection, self._client_id, "documents", number, limit)

    def give_documents_back(self, number: int) -> None:
        """So many documents live no longer."""
        self._rooms.give_back(self._client_id, "documents", number)

    async def check_bytes(self, size: int) -> None:
        """See that there is room for so many more bytes. Raises NoRoom."""
        limit = self._quota.max_bytes
        if limit is not None:
            await self._rooms.check(self._connection, self._client_id, "bytes", size, limit)

    async def take_bytes(self, size: int) -> None:
        """Take room for more bytes of content. Raises NoRoom."""
        limit = self._quota.max_bytes
        if limit is not None:
            await self._rooms.take(self._connection, self._client_id, "bytes", size, limit)
