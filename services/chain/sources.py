"""Where a chain is read from: a tenant's, wherever it lives, or the global log's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol, TypeVar
from uuid import UUID

from global_db import archives as global_archives
from global_db import chain as global_chain
from global_db.audit_heads import GLOBAL_CHAIN
from global_db.chain import Link, Placed, Tip
from global_db.connection import ReadConnection
from services.failures import global_failures, tenant_failures
from services.resources import Data
from shards import archives as tenant_archives
from shards import chain as tenant_chain
from shards.tenants import PRIMARY_READING, TenantRead, TenantReading

T = TypeVar("T")

Place = tuple[datetime, UUID]
"""Where a row stands by time: created_at and id."""


class ChainSource(Protocol):
    """One chain and the audit rows that it links. Each call is a read of its own."""

    @property
    def client_id(self) -> UUID:
        """Whose chain; the nil id for the global log's."""

    async def tip(self) -> Tip | None:
        """The newest link."""

    async def link_at(self, seq: int) -> tuple[datetime, bytes] | None:
        """The time of one link's row, and its chain hash."""

    async def waiting_since(self) -> datetime | None:
        """The time of the oldest row that waits for its link."""

    async def links(self, seq: int, last: int, limit: int) -> Sequence[Link]:
        """The links after `seq` up to `last`, in order, each with its row."""

    async def places(self, after: Place, before: datetime, limit: int) -> Sequence[Placed]:
        """Rows behind `after` and older than `before`, by time, with their places."""

    async def archived(self) -> frozenset[date]:
        """Months, by their first days, of which rows may lie in the archive and not in the log."""


@dataclass(frozen=True, slots=True)
class TenantChain:
    """A tenant's chain; reads enter as all reads of a tenant do. Domain errors only."""

    data: Data
    client_id: UUID
    reading: TenantReading = PRIMARY_READING

    async def tip(self) -> Tip | None:
        """The newest link."""
        return await self._read(tenant_chain.tip)

    async def link_at(self, seq: int) -> tuple[datetime, bytes] | None:
        """The time of one link's row, and its chain hash."""
        return await self._read(lambda tenant: tenant_chain.link_at(tenant, seq))

    async def waiting_since(self) -> datetime | None:
        """The time of the oldest row that waits for its link."""
        return await self._read(tenant_chain.waiting_since)

    async def links(self, seq: int, last: int, limit: int) -> Sequence[Link]:
        """The links after `seq` up to `last`, in order, each with its row."""
        return await self._read(lambda tenant: tenant_chain.links(tenant, seq, last, limit))

    async def places(self, after: Place, before: datetime, limit: int) -> Sequence[Placed]:
        """Rows behind `after` and older than `before`, by time, with their places."""
        return await self._read(lambda tenant: tenant_chain.places(tenant, after, before, limit))

    async def archived(self) -> frozenset[date]:
        """Months, by their first days, of which rows may lie in the archive and not in the log."""
        return await self._read(tenant_archives.months)

    async def _read(self, work: Callable[[TenantRead], Awaitable[T]]) -> T:
        with tenant_failures():
            return await self.data.tenants.read(self.client_id, work, self.reading)


@dataclass(frozen=True, slots=True)
class GlobalChain:
    """The global log's chain. Domain errors only."""

    data: Data
    client_id: UUID = GLOBAL_CHAIN

    async def tip(self) -> Tip | None:
        """The newest link."""
        return await self._read(global_chain.tip)

    async def link_at(self, seq: int) -> tuple[datetime, bytes] | None:
        """The time of one link's row, and its chain hash."""
        return await self._read(lambda connection: global_chain.link_at(connection, seq))

    async def waiting_since(self) -> datetime | None:
        """The time of the oldest row that waits for its link."""
        return await self._read(global_chain.waiting_since)

    async def links(self, seq: int, last: int, limit: int) -> Sequence[Link]:
        """The links after `seq` up to `last`, in order, each with its row."""
        return await self._read(lambda connection: global_chain.links(connection, seq, last, limit))

    async def places(self, after: Place, before: datetime, limit: int) -> Sequence[Placed]:
        """Rows behind `after` and older than `before`, by time, with their places."""
        return await self._read(
            lambda connection: global_chain.places(connection, after, before, limit)
        )

    async def archived(self) -> frozenset[date]:
        """Months, by their first days, of which rows may lie in the archive and not in the log."""
        found = await self._read(global_archives.all_archives)
        return frozenset(one.month for one in found if one.cluster == self.data.global_db.name)

    async def _read(self, work: Callable[[ReadConnection], Awaitable[T]]) -> T:
        with global_failures():
            async with self.data.global_db.read() as connection:
                return await work(connection)


def chain_of(data: Data, client_id: UUID) -> ChainSource:
    """The chain of a client; of the global log for the nil id."""
    return GlobalChain(data) if client_id == GLOBAL_CHAIN else TenantChain(data, client_id)


async def seq_reaching(source: ChainSource, at: datetime) -> int:
    """About the first seq whose row is not older than `at`; one after the last when all are.

    Rows lie in the order of time but for the seconds that transactions take, so that the answer is
    right within those. By halves: a dozen reads find a place among thousands of millions.
    """
    tip = await source.tip()
    low, high = 1, 1 if tip is None else tip.seq + 1
    while low < high:
        middle = (low + high) // 2
        found = await source.link_at(middle)
        if found is not None and found[0] >= at:
            high = middle
        else:
            low = middle + 1
    return low
