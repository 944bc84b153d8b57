"""Quotas: what a tenant may store is held in the transaction that stores it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import asdict, replace

import click
import pytest

from deploy.cli.client_quota import Bytes, Limit, Rate
from router.problems import problem_document
from services.errors import QuotaExceeded
from services.fleet import quotas
from services.fleet.quotas import UNLIMITED, Quota
from services.resources import Data, open_data
from services.settings import DatabaseRole
from services.tenant import batch, documents, versions
from services.tenant.batch import Batch, Create
from services.tenant.documents import Document, NewDocument
from shards.rooms import FAR, FAR_SECONDS, NoRoom, Rooms
from shards.tenants import TenantWrite
from tests.integration.desk import Desk
from tests.integration.waiting import until

NEW = NewDocument("a.txt", "text/plain", {})


def anything(_: Document) -> bool:
    return True


@pytest.fixture
async def operators(desk: Desk) -> AsyncIterator[Data]:
    async with AsyncExitStack() as stack:
        settings = desk.workplace.settings()
        yield await stack.enter_async_context(open_data(settings, DatabaseRole.ADMIN))


async def allow(operators: Data, desk: Desk, quota: Quota) -> None:
    """The desk's router has heard of it when this returns."""
    await quotas.change(operators, str(desk.client_id), asdict(quota), "a test")
    assert (await desk.resources.data.placements.fetch(desk.client_id)).quota == quota


async def test_documents_are_held_to_the_last_one(desk: Desk, operators: Data) -> None:
    one = await desk.document()
    await allow(operators, desk, Quota(max_documents=2))
    await desk.document()
    with pytest.raises(QuotaExceeded) as refused:
        await desk.document()
    assert (refused.value.resource, refused.value.limit) == ("documents", 2)
    outcomes = await batch.run(desk.resources, desk.access, Batch([Create(NEW)]))
    assert [type(outcome) for outcome in outcomes] == [QuotaExceeded]
    # A deleted one gives its place away, and wants one to come back.
    await documents.delete(desk.resources, desk.access, one.id, anything)
    await desk.document()
    with pytest.raises(QuotaExceeded):
        await documents.restore(desk.resources, desk.access, one.id)
    await allow(operators, desk, UNLIMITED)
    await documents.restore(desk.resources, desk.access, one.id)
    shown = await quotas.standing(operators, str(desk.client_id))
    assert (shown.documents, shown.max_documents) == (3, None)


async def test_a_repeated_request_is_not_refused(desk: Desk, operators: Data) -> None:
    """I2: what was stored before the limit was reached is answered again."""
    await allow(operators, desk, Quota(max_documents=1))
    first = await documents.create(desk.resources, desk.access, NEW, "key")
    again = await documents.create(desk.resources, desk.access, NEW, "key")
    assert first.value == again.value


async def test_bytes_are_those_of_all_versions(desk: Desk, operators: Data) -> None:
    document = await desk.document()
    await allow(operators, desk, Quota(max_bytes=10))
    await desk.uploaded(document, b"1234567")
    with pytest.raises(QuotaExceeded) as refused:
        await desk.begin(document, b"1234")
    assert (refused.value.resource, refused.value.limit) == ("bytes", 10)
    with pytest.raises(QuotaExceeded):
        await versions.promote(desk.resources, desk.access, (document.id, 1), anything)
    await desk.uploaded(document, b"123")
    shown = await quotas.standing(operators, str(desk.client_id))
    assert (shown.bytes, shown.max_bytes) == (10, 10)


async def test_operators_changes_are_audited(desk: Desk, operators: Data) -> None:
    quota = Quota(max_documents=5, requests_per_second=0.5)
    await allow(operators, desk, quota)
    assert await quotas.of_client(operators, str(desk.client_id)) == quota
    name, more = str(desk.client_id), {"max_bytes": 9}
    # Two operators at once: none takes back what the other one has set.
    assert await quotas.change(operators, name, more, "a test") == (quota, replace(quota, **more))
    assert (
        await quotas.change(operators, name, more, "nothing new") == (replace(quota, **more),) * 2
    )
    async with desk.workplace.fleet.global_db.session() as session:
        cursor = await session.execute(
            "SELECT action, reason FROM docshard.audit_logs WHERE entity_id = %s"
            " AND action = 'client.quota'",
            [desk.client_id],
        )
        assert [tuple(row.values()) for row in await cursor.fetchall()] == [
            ("client.quota", "a test")
        ] * 2


_ENTERED_AND_COUNTING = """
    SELECT count(*) FILTER (WHERE locktype = 'advisory' AND mode = 'ShareLock') AS entered,
           count(*) FILTER (WHERE NOT granted
               AND relation = 'docshard.documents'::regclass) AS counting
      FROM pg_locks
     WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Clock:
    """Stands still until it is set: so counting takes no time, and is believed for none."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_far_from_the_limit_it_is_counted_every_few_seconds(desk: Desk) -> None:
    clock = Clock()
    rooms = Rooms(clock)
    limit = FAR["documents"] + 1

    async def take(tenant: TenantWrite) -> None:
        await rooms.take(tenant._writes, desk.client_id, "documents", 1, limit)

    async def known() -> int:
        await desk.resources.data.tenants.write(desk.client_id, take)
        return rooms._known[desk.client_id, "documents"].used

    await desk.document()
    assert await known() == 2
    await desk.document()
    # Less than `FAR` is left now: it is counted each time, and nothing was added by `known`.
    assert await known() == 3
    limit += 10
    assert await known() == 4, "what was counted before is believed"
    clock.now = FAR_SECONDS
    assert await known() == 3, "it is counted anew"
    limit = 2
    with pytest.raises(NoRoom):
        await known()


async def test_of_many_at_once_one_counts(desk: Desk) -> None:
    """I9: a count that takes long is not made by everybody who comes meanwhile."""
    rooms, writers = Rooms(), 4

    async def take(tenant: TenantWrite) -> None:
        await rooms.take(tenant._writes, desk.client_id, "documents", 1, 100)

    shard = desk.workplace.fleet.shards["shard-1"]
    async with shard.session() as blocker, shard.session() as watcher, asyncio.TaskGroup() as tasks:
        await blocker.execute("BEGIN")
        await blocker.execute("LOCK TABLE docshard.documents IN ACCESS EXCLUSIVE MODE")
        for _ in range(writers):
            tasks.create_task(desk.resources.data.tenants.write(desk.client_id, take))

        async def entered_and_counting() -> tuple[int, int]:
            row = await (await watcher.execute(_ENTERED_AND_COUNTING)).fetchone()
            assert row is not None
            return row["entered"], row["counting"]

        async def all_are_there() -> bool:
            entered, counting = await entered_and_counting()
            return entered == writers and counting > 0

        await until(all_are_there)
        assert await entered_and_counting() == (writers, 1)
        await blocker.execute("ROLLBACK")
    assert rooms._known[desk.client_id, "documents"].used == writers


@pytest.mark.parametrize(
    ("kind", "text", "limit"),
    [
        (Limit(), "9223372036854775807", 2**63 - 1),
        (Limit(), "9223372036854775808", None),
        (Bytes(), "10GiB", 10 * 1024**3),
        (Bytes(), "99999PiB", None),
        (Rate(), "300/min", 5),
        (Rate(), "9" * 400, None),
        (Rate(), "0/s", None),
    ],
    ids=["most", "more", "bytes", "more-bytes", "rate", "endless-rate", "no-rate"],
)
def test_limits_as_operators_write_them(kind: Limit, text: str, limit: float | None) -> None:
    if limit is None:
        with pytest.raises(click.BadParameter):
            kind.convert(text, None, None)
    else:
        assert kind.convert(text, None, None) == limit


def test_a_used_up_quota_as_a_problem() -> None:
    problem = problem_document(QuotaExceeded("bytes", 1000), "/v1", "r")
    assert (problem["status"], problem["code"]) == (403, "quota_exceeded")
    assert problem["detail"] == "This client may store 1,000 bytes."
