"""A move that a test takes step by step, between two real shards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

import pytest
import uuid_utils.compat as uuid_utils
from psycopg import sql

from global_db.cluster import Cluster, PoolLimits
from shards.copying import (
    claims,
    copy,
    fence,
    markers,
    publications,
    slots,
    subscriptions,
    sweep,
)
from shards.copying.batch import Batch, Mover
from shards.copying.copy import Copied
from shards.tables import TENANT_TABLES
from tests.integration.databases import Fleet, ShardDatabase
from tests.integration.postgres import MOVER
from tests.integration.rows import insert_everywhere, qualified

SECONDS = 10.0
# What `furnished` gives a tenant: a row in each table, and one more in the chain's queue.
ROWS = len(TENANT_TABLES) + 1
LIMITS = PoolLimits()


async def go_on(_rows: int, _bytes: int) -> None:
    """A gate that is open."""


@dataclass(frozen=True)
class Course:
    """Source, target, and who moves what between them."""

    source: Cluster
    target: Cluster
    mover: Mover
    batch: Batch

    def conninfo(self, cluster: Cluster) -> str:
        return cluster.login.direct(cluster.primary_address())

    def succeeded(self) -> Course:
        """The same move in the hands of the next generation."""
        return replace(self, mover=replace(self.mover, generation=self.mover.generation + 1))

    def reversed(self) -> Course:
        """The move that undoes this one."""
        mover = Mover(uuid_utils.uuid7(), 1, reverses=self.mover.move_id)
        batch = Batch.of({client: epoch + 1 for client, epoch in self.batch.epochs.items()})
        return Course(self.target, self.source, mover, batch)

    async def claim(self) -> None:
        for cluster in (self.source, self.target):
            await claims.claim(cluster, self.mover)

    async def begin(self) -> None:
        """Claimed, owned, importing."""
        await self.claim()
        await fence.own(self.source, self.mover, self.batch)
        await fence.begin_import(self.target, self.mover, self.batch)

    async def copy(self) -> Copied:
        """The copy and the subscription behind it."""
        await publications.publish(self.source, self.mover, self.batch)
        async with slots.exported(self.source, self.mover) as snapshot:
            copied = await copy.copy_batch(
                self.source, self.target, self.mover, self.batch, snapshot=snapshot, gate=go_on
            )
        await subscriptions.subscribe(self.target, self.mover, self.conninfo(self.source))
        return copied

    async def catch_up(self) -> None:
        await self.arrived(await markers.put(self.source, self.mover))

    async def arrived(self, number: int) -> None:
        await markers.await_(self.target, self.mover, number, SECONDS)

    async def prepare_back(self) -> None:
        await publications.publish(self.target, self.mover, self.batch, back=True)
        await slots.make_back(self.target, self.mover)
        await slots.advance_back(self.target, self.mover)

    async def end_forward(self) -> None:
        """Nothing of the forward stream is left."""
        await subscriptions.unsubscribe(self.target, self.mover)
        await slots.drop(self.source, self.mover)
        await publications.unpublish(self.source, self.mover)

    async def subscribe_back(self) -> None:
        await subscriptions.subscribe(
            self.source, self.mover, self.conninfo(self.target), back=True
        )

    async def end_back(self) -> None:
        await subscriptions.unsubscribe(self.source, self.mover, back=True)
        await slots.drop(self.target, self.mover, back=True)
        await publications.unpublish(self.target, self.mover, back=True)

    async def clean(self) -> None:
        """Nothing is left that would keep the databases from being dropped."""
        await self.claim()
        await self.end_forward()
        await self.end_back()

    async def sweep(self) -> int:
        return await sweep.sweep(self.source, self.mover, self.batch, go_on)


@asynccontextmanager
async def course_of(fleet: Fleet, *clients: UUID) -> AsyncIterator[Course]:
    """A move of these tenants from shard-1 to shard-2; in the end no stream of it is left."""
    login = fleet.global_db.login(MOVER)
    async with AsyncExitStack() as stack:
        source, target = [
            await stack.enter_async_context(Cluster(name, [shard.address], login, LIMITS))
            for name, shard in fleet.shards.items()
        ]
        course = Course(
            source, target, Mover(uuid_utils.uuid7(), 1), Batch.of(dict.fromkeys(clients, 1))
        )
        try:
            yield course
        finally:
            last = replace(course.mover, generation=1_000)
            await replace(course, mover=last).clean()


async def furnished(fleet: Fleet, count: int) -> list[UUID]:
    """New tenants of shard-1 with a row in each of their tables."""
    clients = [await fleet.tenant() for _ in range(count)]
    async with fleet.shards["shard-1"].session() as superuser:
        for client in clients:
            await insert_everywhere(superuser, client)
    return clients


async def contents(shard: ShardDatabase, client: UUID) -> dict[str, list[str]]:
    """All rows that a tenant has there, as text, by table."""
    found = {}
    async with shard.session() as superuser:
        for table in TENANT_TABLES:
            query = sql.SQL("SELECT t::text AS line FROM {} t WHERE client_id = %s ORDER BY 1")
            cursor = await superuser.execute(query.format(qualified(table)), [client])
            found[table.name] = [row["line"] for row in await cursor.fetchall()]
    return found


@pytest.fixture(name="course")
async def make_course(fleet_dbs: Fleet) -> AsyncIterator[Course]:
    """A move of two tenants that have a row in each of their tables."""
    clients = await furnished(fleet_dbs, 2)
    async with course_of(fleet_dbs, *clients) as course:
        yield course


@pytest.fixture(name="streaming")
async def make_streaming(course: Course) -> Course:
    """The same, copied and caught up."""
    await course.begin()
    await course.copy()
    await course.catch_up()
    return course
