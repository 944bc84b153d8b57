"""The change feed over its pages: while others write, across what was archived, and waiting."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from global_db.cluster import Cluster
from global_db.errors import ClusterError
from services.audit import Event, record
from services.errors import CursorExpired, Overloaded
from services.fleet import audit_links
from services.ids import new_id
from services.pages import PageRequest
from services.tenant import changes
from services.tenant.changes import Change
from services.tenant.feed import Feed, FeedLimits, open_feed
from shards.tenants import TenantWrite
from tests.integration.desk import Desk
from tests.integration.postgres import WORKER
from tests.integration.waiting import until

WRITERS = 32


@pytest.fixture
async def feed(desk: Desk) -> AsyncIterator[Feed]:
    async with open_feed(desk.resources.data, FeedLimits(waiting=3, every_seconds=0.02)) as made:
        yield made


async def note(
    desk: Desk, rows: int = 1, action: str = "document.update", pause: float = 0
) -> None:
    async def work(tenant: TenantWrite) -> None:
        for _ in range(rows):
            await record(tenant, desk.access.caller, Event(action, "document", new_id()))
        await asyncio.sleep(pause)

    await desk.resources.data.tenants.write(desk.client_id, work)


@asynccontextmanager
async def shard(desk: Desk) -> AsyncIterator[Cluster]:
    """The client's shard as the worker holds it."""
    async with desk.workplace.fleet.shards["shard-1"].cluster(WORKER) as cluster:

        async def available() -> bool:
            return cluster.available

        await until(available, seconds=20)
        yield cluster


async def link(desk: Desk) -> None:
    async with shard(desk) as cluster:
        await audit_links.link_shard(cluster)


async def page(
    desk: Desk, feed: Feed, cursor: str | None, limit: int = 50, seconds: float = 0
) -> tuple[list[Change], str | None]:
    request = PageRequest(limit, cursor)
    found = await changes.follow(desk.resources, desk.access, request, feed, seconds)
    return found.items, found.next_cursor


async def test_nothing_is_skipped_while_many_write(desk: Desk, feed: Feed) -> None:
    lengths, written = random.Random(3), asyncio.Event()
    seen: list[Change] = []

    async def writer() -> None:
        for _ in range(3):
            action = lengths.choice(["document.update", "content.read"])
            pause = lengths.choice([0, 0, 0.01, 0.1])
            await note(desk, lengths.randrange(1, 4), action, pause)

    async def linker() -> None:
        async with shard(desk) as cluster:
            last = 1
            while last or not written.is_set():
                # On a busy machine a transaction may run into its deadline: the worker goes on.
                with suppress(ClusterError):
                    last = await audit_links.link_shard(cluster)
                await asyncio.sleep(0)  # a refusal at once lets nobody else run

    async def follower() -> None:
        cursor = None
        while True:
            over = linking.done()
            items, cursor = await page(desk, feed, cursor, lengths.randrange(1, 9), seconds=0.05)
            seen.extend(items)
            if over and not items:
                return

    # A group: who fails must not leave a linker behind that asks for a dropped database for ever.
    async with asyncio.TaskGroup() as group:
        linking = group.create_task(linker())
        group.create_task(follower())
        await asyncio.gather(*(writer() for _ in range(WRITERS)))
        written.set()
    rows = await desk.rows(
        "SELECT c.seq, l.id, l.action FROM docshard.audit_chain c"
        " JOIN docshard.audit_logs l ON l.client_id = c.client_id AND l.id = c.audit_id"
        " WHERE c.client_id = %s ORDER BY c.seq",
        desk.client_id,
    )
    wanted = [(row["seq"], row["id"]) for row in rows if row["action"] != "content.read"]
    assert len(rows) > len(wanted) > WRITERS
    assert [(one.seq, one.id) for one in seen] == wanted


async def test_a_cursor_from_before_the_archive_is_told_so(desk: Desk, feed: Feed) -> None:
    for _ in range(6):
        await note(desk)
    await link(desk)
    first, cursor = await page(desk, feed, None, limit=1)
    later = (await page(desk, feed, cursor, limit=3))[1]
    assert [one.seq for one in first] == [1]
    await desk.rows(
        "WITH old AS (SELECT audit_id FROM docshard.audit_chain WHERE client_id = %s AND seq < 4)"
        " DELETE FROM docshard.audit_logs l USING old WHERE l.id = old.audit_id"
        "   AND set_config('session_replication_role', 'replica', false) <> ''",
        desk.client_id,
    )
    with pytest.raises(CursorExpired):
        await page(desk, feed, cursor)
    assert [one.seq for one in (await page(desk, feed, later))[0]] == [5, 6]
    items, again = await page(desk, feed, None, limit=2)
    assert [one.seq for one in items] == [4, 5]
    assert [one.seq for one in (await page(desk, feed, again))[0]] == [6]


async def test_who_waits_gets_what_comes(desk: Desk, feed: Feed) -> None:
    _, cursor = await page(desk, feed, None)
    waiting = [asyncio.create_task(page(desk, feed, cursor, seconds=30)) for _ in range(3)]

    async def all_wait() -> bool:
        return feed._waiting == 3

    await until(all_wait, seconds=20)
    assert len(feed._watches) == 1, "one look for all of them"
    with pytest.raises(Overloaded):
        await page(desk, feed, cursor, seconds=20)
    await note(desk, action="content.read")
    await note(desk)
    await link(desk)
    for items, _ in await asyncio.gather(*waiting):
        assert [one.seq for one in items] == [2]
    assert (await page(desk, feed, cursor, seconds=0.05))[0]
    _, end = await page(desk, feed, cursor)
    assert (await page(desk, feed, end, seconds=0.05))[0] == []
