"""Where a chain is read from: a tenant's, wherever it lives, or the global log's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from global_db import chain as global_chain
from global_db.audit_heads import GLOBAL_CHAIN
from global_db.chain import Link, Placed, Tip
from services.failures import global_failures, tenant_failures
from services.resources import Data
from shards import chain as tenant_chain

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

    async def links(self, seq: int, last: int, limit: int) -> Sequence[Link]:
        """The links after `seq` up to `last`, in order, each with its row."""

    async def places(self, after: Place, before: datetime, limit: int) -> Sequence[Placed]:
        """Rows behind `after` and older than `before`, by time, with their places."""


@dataclass(frozen=True, slots=True)
class TenantChain:
    """A tenant's chain; reads enter as all reads of a tenant do. Domain errors only."""

    data: Data
    client_id: UUID

    async def tip(self) -> Tip | None:
        """The newest link."""
        with tenant_failures():
            return await self.data.tenants.read(self.client_id, tenant_chain.tip)

    async def link_at(self, seq: int) -> tuple[datetime, bytes] | None:
        """The time of one link's row, and its chain hash."""
        with tenant_failures():
            return await self.data.tenants.read(
                self.client_id, lambda tenant: tenant_chain.link_at(tenant, seq)
            )

    async def links(self, seq: int, last: int, limit: int) -> Sequence[Link]:
        """The links after `seq` up to `last`, in order, each with its row."""
        with tenant_failures():
            return await self.data.tenants.read(
                self.client_id, lambda tenant: tenant_chain.links(tenant, seq, last, limit)
            )

    async def places(self, after: Place, before: datetime, limit: int) -> Sequence[Placed]:
        """Rows behind `after` and older than `before`, by time, with their places."""
        with tenant_failures():
            return await self.data.tenants.read(
                self.client_id, lambda tenant: tenant_chain.places(tenant, after, before, limit)
            )


@dataclass(frozen=True, slots=True)
class GlobalChain:
    """The global log's chain. Domain errors only."""

    data: Data
    client_id: UUID = GLOBAL_CHAIN

    async def tip(self) -> Tip | None:
        """The newest link."""
        with global_failures():
            async with self.data.global_db.read() as connection:
                return await global_chain.tip(connection)

    async def link_at(self, seq: int) -> tuple[datetime, bytes] | None:
        """The time of one link's row, and its chain hash."""
        with global_failures():
            async with self.data.global_db.read() as connection:
                return await global_chain.link_at(connection, seq)

    async def links(self, seq: int, last: int, limit: int) -> Sequence[Link]:
        """The links after `seq` up to `last`, in order, each with its row."""
        with global_failures():
            async with self.data.global_db.read() as connection:
                return await global_chain.links(connection, seq, last, limit)

    async def places(self, after: Place, before: datetime, limit: int) -> Sequence[Placed]:
        """Rows behind `after` and older than `before`, by time, with their places."""
        with global_failures():
            async with self.data.global_db.read() as connection:
                return await global_chain.places(connection, after, before, limit)


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
