"""Gathers, page by page, what the directory and every shard say of every tenant, and mends it.

As the mover: it alone sees the rows of all tenants. A page is read from the directory first, then
from the shards, and moves last: so whatever a move changed in between, the move is seen.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from global_db import leftovers, placements
from global_db.errors import ClusterError
from global_db.placements import Placed
from services.audit import Event, record_global
from services.failures import global_failures
from services.fleet.finding import Finding
from services.fleet.placement_doctor import (
    GRACE_SECONDS,
    Drop,
    MarkGone,
    Misplaced,
    Tenant,
    judge_objects,
    judge_tenant,
)
from services.fleet.shards import entity_of
from services.identity.principal import Origin
from services.ids import new_id
from services.resources import Data
from shards import census
from shards.census import Resident, Span
from shards.registry import ShardBehind

_AT_ONCE = 16
_SHOWN = 200
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Extent:
    """How to look: at one client alone; at so many tenants at once, which bounds what is held in
    memory; and what has changed within so many seconds is left alone."""

    client: UUID | None = None
    page: int = 1_000
    grace_seconds: float = GRACE_SECONDS

    @property
    def tidying(self) -> timedelta:
        """For so long a move that has ended is taken to be at work."""
        return timedelta(seconds=self.grace_seconds)


EVERYBODY = Extent()


@dataclass(frozen=True, slots=True)
class Examined:
    """What is misplaced; of very much only the beginning, and `more` says so. Shards that could
    not be asked, at least for some tenants, are `unseen`."""

    found: tuple[Misplaced, ...]
    more: bool = False
    unseen: frozenset[str] = frozenset()

    def findings(self) -> list[Finding]:
        """As the doctor tells them."""
        told = [Finding(one.shard, one.what, one.advice) for one in self.found]
        if self.more:
            told.append(Finding("tenants", "there is more of this", "mend these and look again"))
        return told


@dataclass(frozen=True, slots=True)
class _ShardPage:
    residents: list[Resident]
    holders: list[UUID]

    def end(self, page: int) -> UUID:
        """Up to where nothing is left out, when so many were asked for."""
        ends = [
            ids[-1]
            for ids in ([one.client_id for one in self.residents], self.holders)
            if len(ids) == page
        ]
        return min(ends, default=_LAST)


async def examine(mover: Data, extent: Extent = EVERYBODY) -> Examined:
    """Compare the directory with every shard that answers, page by page; changes nothing.

    Raises:
        DirectoryUnavailable.
    """
    with global_failures():
        await mover.registry.refresh()
        found = [] if extent.client else await _objects(mover, extent)
        unseen: frozenset[str] = frozenset()
        async for tenants in _pages(mover, extent):
            unseen = unseen.union(*(one.unseen for one in tenants))
            suspects = {one.client_id: one for one in tenants if any(judge_tenant(one))}
            async with mover.global_db.read() as connection:
                moving = await placements.moving(connection, list(suspects), extent.tidying)
            for client_id in suspects.keys() - moving:
                found += judge_tenant(suspects[client_id])
            if len(found) > _SHOWN:
                return Examined(tuple(found[:_SHOWN]), more=True, unseen=unseen)
    return Examined(tuple(found), unseen=unseen)


async def mend(data: Data, mover: Data, misplaced: Misplaced, reason: str | None) -> bool:
    """Mend one finding as the mover, and write that into the global audit log as the operator,
    and into the books of the move that left it.

    False when nothing is as it was found any more; then nothing was changed.

    Raises:
        ClusterError, DirectoryUnavailable.
    """
    if not await _mended(mover, misplaced):
        return False
    image = {"found": misplaced.what}
    event = Event("shard.mend", "shard", entity_of(misplaced.shard), image, None)
    with global_failures():
        async with data.global_db.write() as connection:
            await record_global(connection, Origin(reason=reason), event)
            if misplaced.removes is not None:
                await leftovers.mended(connection, misplaced.removes)
    return True


async def _mended(mover: Data, misplaced: Misplaced) -> bool:
    cluster, action = mover.registry.cluster(misplaced.shard), misplaced.mend
    if action is None:
        return False
    if isinstance(action, Drop):
        # A move that is over never begins again: what is true of it stays true.
        await census.drop_object(cluster, action.found)
        return True
    if isinstance(action, MarkGone):
        return await census.mark_gone(cluster, action.resident, new_id())
    removed = await census.remove_rows(cluster, action.client_id, action.resident)
    if removed is None:
        return False
    if action.resident is not None and action.resident.state == "importing":
        return await census.mark_gone(cluster, action.resident, new_id())
    return removed > 0


async def _objects(mover: Data, extent: Extent) -> list[Misplaced]:
    found: list[Misplaced] = []
    for shard in mover.registry.shards():
        try:
            async with mover.registry.cluster(shard.name).read() as connection:
                objects = await census.move_objects(connection)
        except (ClusterError, ShardBehind):
            continue
        async with mover.global_db.read() as connection:
            ids = list({one.move_id for one in objects})
            busy = await placements.busy_moves(connection, ids, extent.tidying)
        found += judge_objects(shard.name, objects, busy)
    return found


async def _pages(mover: Data, extent: Extent) -> AsyncIterator[list[Tenant]]:
    after, end = _FIRST, _LAST
    if extent.client is not None:
        after, end = UUID(int=extent.client.int - 1), extent.client
    while after != end:
        async with mover.global_db.read() as connection:
            placed = await placements.page(connection, after, extent.page)
        upto = placed[-1].client_id if len(placed) == extent.page else end
        upto = min(upto, end)
        shards = await _ask_shards(mover, Span(after, upto, extent.page))
        upto = min([upto, *(page.end(extent.page) for page in shards.values() if page)])
        known = [one for one in placed if one.client_id <= upto]
        tenants = _joined(known, shards, upto)
        yield [replace(one, grace=extent.grace_seconds) for one in tenants]
        after = upto


async def _ask_shards(mover: Data, span: Span) -> dict[str, _ShardPage | None]:
    """Each shard's part of the span; None of one that does not answer."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str) -> _ShardPage | None:
        try:
            async with limit, mover.registry.cluster(name).read() as connection:
                residents = await census.residents(connection, span)
                return _ShardPage(residents, await census.holders(connection, span))
        except (ClusterError, ShardBehind):
            return None

    names = [shard.name for shard in mover.registry.shards()]
    return dict(zip(names, await asyncio.gather(*map(one, names)), strict=True))


def _joined(placed: list[Placed], shards: dict[str, _ShardPage | None], upto: UUID) -> list[Tenant]:
    known = {one.client_id: one for one in placed}
    residents: dict[UUID, dict[str, Resident]] = defaultdict(dict)
    holders: dict[UUID, set[str]] = defaultdict(set)
    for name, page in shards.items():
        for resident in page.residents if page else ():
            residents[resident.client_id][name] = resident
        for client_id in page.holders if page else ():
            holders[client_id].add(name)
    unseen = frozenset(name for name, page in shards.items() if page is None)
    ids = known.keys() | residents.keys() | holders.keys()
    return [
        Tenant(
            client_id,
            known.get(client_id),
            residents.get(client_id, {}),
            frozenset(holders.get(client_id, ())),
            unseen,
        )
        for client_id in sorted(ids)
        if client_id <= upto
    ]
