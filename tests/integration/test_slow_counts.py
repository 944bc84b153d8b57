"""A tenant whose things take long to count is held to the last count, and its writes go on."""

import asyncio
from functools import partial

import pytest

from global_db.bounded import TookTooLong, within
from global_db.directory import Placement
from global_db.statement import ReadStatement, WriteStatement
from shards.counting import Kind, count_behind
from shards.rooms import NoRoom, Rooms
from shards.tenants import TenantWrite
from tests.integration.desk import Desk
from tests.integration.waiting import until

QUICK_SECONDS = 0.05
SLEEP = WriteStatement("SELECT pg_sleep(30)", {})
ANSWER = WriteStatement("SELECT 42 AS answer", {})
LIMIT = ReadStatement("SELECT current_setting('statement_timeout') AS value", {})
RENAME = WriteStatement("UPDATE docshard.documents SET original_name = original_name || 'x'", {})


async def test_a_statement_that_is_given_up_costs_the_transaction_nothing(desk: Desk) -> None:
    document = await desk.document()

    async def rename(tenant: TenantWrite) -> tuple[object, object]:
        connection = tenant._writes
        before = await connection.one(LIMIT)
        await connection.send(RENAME)
        with pytest.raises(TookTooLong):
            await within(connection, QUICK_SECONDS, SLEEP)
        await connection.send(RENAME)
        assert await within(connection, 5, ANSWER) == {"answer": 42}
        return before, await connection.one(LIMIT)

    before, after = (await desk.resources.data.tenants.write(desk.client_id, rename)).value
    assert before == after
    async with desk.workplace.fleet.shards["shard-1"].session() as session:
        cursor = await session.execute(
            "SELECT original_name FROM docshard.documents WHERE id = %s", [document.id]
        )
        assert await cursor.fetchone() == {"original_name": f"{document.original_name}xx"}


async def test_while_a_count_takes_long_the_last_one_holds(desk: Desk) -> None:
    data, may_count = desk.resources.data, asyncio.Event()
    placement = await data.placements.get(desk.client_id)

    async def behind(whose: Placement, kind: Kind) -> int:
        await may_count.wait()
        return await count_behind(data.registry, whose, kind, rows=2)

    rooms = Rooms(behind, quick_seconds=QUICK_SECONDS)

    async def take(tenant: TenantWrite) -> None:
        await rooms.take(tenant._writes, placement, "documents", 1, 4)

    for _ in range(3):
        await desk.document()
    async with desk.workplace.fleet.shards["shard-1"].session() as blocker:
        await blocker.execute("BEGIN")
        await blocker.execute("LOCK TABLE docshard.documents IN ACCESS EXCLUSIVE MODE")
        await data.tenants.write(desk.client_id, take)
        await blocker.execute("ROLLBACK")
    known = rooms._known[desk.client_id, "documents"]
    assert (known.used, known.slow) == (1, True), "nothing was known yet, so it was let through"
    # Counted anew behind them, these hold nobody up.
    await data.tenants.write(desk.client_id, take)
    assert rooms.slow == {"documents": 2}

    await desk.document()
    may_count.set()
    await until(lambda: asyncio.sleep(0, known.behind is None))
    # What was made while they were counted is counted with them, once.
    assert known.used == 3 + 1
    with pytest.raises(NoRoom):
        await data.tenants.write(desk.client_id, take)
    await rooms.close()


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
async def test_pages_count_what_one_statement_counts(desk: Desk, rows: int) -> None:
    data = desk.resources.data
    placement = await data.placements.get(desk.client_id)
    for number in range(3):
        await desk.uploaded(await desk.document(), b"1234567"[number:])
    count = partial(count_behind, data.registry, placement, rows=rows)
    assert (await count("documents"), await count("bytes")) == (3, 7 + 6 + 5)


async def endless(*_: object) -> int:
    """A count that is still under way when its process ends."""
    never: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    return await never


async def test_counts_that_wait_end_with_their_process(desk: Desk) -> None:
    placement = await desk.resources.data.placements.get(desk.client_id)
    rooms = Rooms(endless)
    known = rooms._of(desk.client_id, "bytes")
    known.slow = True

    async def check(tenant: TenantWrite) -> None:
        await rooms.check(tenant._writes, placement, "bytes", 1, 10)

    await desk.resources.data.tenants.write(desk.client_id, check)
    assert known.behind is not None
    await rooms.close()
    assert known.behind is None
