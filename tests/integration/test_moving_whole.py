"""A whole move by hand, there and back, while the tenants are written to."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
import uuid_utils.compat as uuid_utils

from services.resources import Data
from shards.copying import digests, fence, slots
from tests.integration.databases import Fleet
from tests.integration.movers import Course, contents, course_of, furnished, go_on
from tests.integration.waiting import until
from tests.integration.work import insert

pytestmark = pytest.mark.versions


class Writer:
    """Writes documents of one tenant until told to stop, and remembers what was acknowledged."""

    def __init__(self, data: Data, client: UUID) -> None:
        self._data = data
        self.client = client
        self.acknowledged: list[UUID] = []
        self.longest = 0.0
        self.stopping = False

    async def run(self) -> None:
        while not self.stopping:
            document, began = uuid_utils.uuid7(), time.monotonic()
            await self._data.tenants.write(self.client, insert(document))
            self.acknowledged.append(document)
            self.longest = max(self.longest, time.monotonic() - began)

    async def some_more(self) -> None:
        wanted = len(self.acknowledged) + 5

        async def written() -> bool:
            return len(self.acknowledged) >= wanted

        await until(written)


async def switch(fleet: Fleet, course: Course, target: str) -> None:
    """From the fence to the directory; then the source is closed and listens to the way back."""
    await slots.advance_back(course.target, course.mover)
    fenced = await fence.fence(course.source, course.mover, course.batch)
    assert fenced.clients == len(course.batch.clients)
    await course.arrived(fenced.number)
    await slots.advance_back(course.target, course.mover)
    opened = await fence.open_(course.target, course.mover, course.batch)
    assert opened.clients == len(course.batch.clients)
    for client, epoch in course.batch.epochs.items():
        await fleet.place(client, target, epoch + 1)
    await fence.leave(course.source, course.mover, course.batch)
    await course.end_forward()
    await course.subscribe_back()


@asynccontextmanager
async def writing(data: Data, clients: list[UUID]) -> AsyncIterator[list[Writer]]:
    """A writer for each tenant, until the block ends."""
    writers = [Writer(data, client) for client in clients]
    tasks = [asyncio.create_task(writer.run()) for writer in writers]
    try:
        yield writers
    finally:
        for writer in writers:
            writer.stopping = True
        await asyncio.gather(*tasks)


async def test_a_move_there_and_back_loses_and_doubles_nothing(own_fleet: Fleet) -> None:
    """I1, I3, I6."""
    clients = await furnished(own_fleet, 3)
    neighbour = (await furnished(own_fleet, 1))[0]
    async with (
        own_fleet.data() as data,
        course_of(own_fleet, *clients) as course,
    ):
        async with writing(data, clients) as writers:
            await course.begin()
            copied = await course.copy()
            assert copied.rows >= 27
            await course.catch_up()
            verified = await digests.verify(
                course.source, course.target, course.mover, course.batch, go_on
            )
            assert verified.rows >= copied.rows
            await course.prepare_back()
            await switch(own_fleet, course, "shard-2")
            for writer in writers:
                await writer.some_more()
            back = course.reversed()
            await back.claim()
            owned = await fence.own(back.source, back.mover, back.batch)
            assert owned.clients == 0
            await fence.own(back.source, back.mover, back.batch, ended=[course.mover.move_id])
            await fence.begin_import(back.target, back.mover, back.batch)
            await back.catch_up()
            await digests.verify(back.source, back.target, back.mover, back.batch, go_on)
            await back.prepare_back()
            await switch(own_fleet, back, "shard-1")
            for writer in writers:
                await writer.some_more()
        await back.end_back()
        assert await back.sweep() > 0
    for writer in writers:
        here = await contents(own_fleet.shards["shard-1"], writer.client)
        documents = [line.split(",")[1] for line in here["documents"]]
        assert set(map(str, writer.acknowledged)) <= set(documents)
        assert len(documents) == len(writer.acknowledged) + 1
        gone = await contents(own_fleet.shards["shard-2"], writer.client)
        assert not any(gone.values())
    untouched = await contents(own_fleet.shards["shard-2"], neighbour)
    assert not any(untouched.values())
