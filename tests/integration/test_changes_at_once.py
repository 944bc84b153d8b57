"""Many callers at once, and reads that are audited: nothing is lost, nothing is done twice."""

import asyncio
from collections import Counter
from dataclasses import replace

from services.committed import Committed
from services.errors import Busy, Overloaded
from services.pages import PageRequest
from services.tenant import batch, content, documents, versions
from services.tenant.batch import Batch, Create, Delete, Update
from services.tenant.content import Incoming, Outgoing
from services.tenant.documents import Document, DocumentPatch, NewDocument
from services.tenant.reads import ReadLimits, ReadLog, read_log
from tests.integration.desk import Desk, caller_of, single
from tests.integration.moving import fence, set_state
from tests.integration.waiting import until

WRITERS = 200


def anything(_: Document) -> bool:
    """If-Match: *"""
    return True


async def test_two_hundred_writers_of_one_document_make_dense_versions(desk: Desk) -> None:
    """I7."""
    document = await desk.document()

    async def write(number: int) -> int:
        while True:
            try:
                incoming = Incoming(single(b"%d" % number))
                put = content.put(desk.resources, desk.access, document.id, incoming)
                return (await put).value.version_number
            except (Overloaded, Busy):
                await asyncio.sleep(0.1)

    numbers = await asyncio.gather(*(write(number) for number in range(WRITERS)))
    assert sorted(numbers) == list(range(1, WRITERS + 1))
    after = await documents.get(desk.resources, desk.access, document.id)
    assert after.current_version == WRITERS
    page = await versions.list_newest(
        desk.resources, desk.access, document.id, PageRequest(WRITERS)
    )
    keys = {version.s3_key for version in page.items}
    assert len(keys) == WRITERS
    # A busy database may refuse a writer even to tidy up: the sweep finds its blob by its row.
    waiting = {row["s3_key"] for row in await desk.rows("SELECT s3_key FROM docshard.uploads")}
    assert keys <= set(await desk.blobs()) <= keys | waiting


async def test_operations_on_one_document_are_done_in_their_order(desk: Desk) -> None:
    document = await desk.document()
    updates = [Update(document.id, DocumentPatch(metadata={"n": n}), tag(n)) for n in range(1, 31)]
    others = [Create(NewDocument(f"{n}.txt", "text/plain", {})) for n in range(30)]
    mixed = [one for pair in zip(updates, others, strict=True) for one in pair]
    outcomes = await batch.run(desk.resources, desk.access, Batch(mixed, "key"))
    assert all(isinstance(one, Committed) for one in outcomes)
    after = await documents.get(desk.resources, desk.access, document.id)
    assert after.metadata == {"n": 30}
    token = await batch.latest_token(desk.resources, desk.client_id, outcomes)
    assert token is not None


async def test_a_batch_asks_for_each_permission(desk: Desk) -> None:
    document = await desk.document()
    writer = replace(
        desk.access, caller=caller_of(desk.client_id, frozenset({"document:write"})).caller
    )
    asked = Batch([Update(document.id, DocumentPatch(), anything), Delete(document.id, anything)])
    outcomes = await batch.run(desk.resources, writer, asked)
    assert [type(one).__name__ for one in outcomes] == ["Committed", "Forbidden"]


async def test_reads_are_filed_in_the_background_and_at_the_end(desk: Desk) -> None:
    given = await outgoing(desk)
    async with read_log(desk.resources, ReadLimits(every_seconds=0.05, batch=3)) as log:
        for _ in range(10):
            log.note(desk.access, given, "stream")
        await until(lambda: filed(desk, 10))
        log.note(desk.access, given, "address")
    assert await reads(desk) == 11
    assert log.lost == 0


async def test_reads_wait_at_a_fence_and_are_filed_behind_it(desk: Desk) -> None:
    given = await outgoing(desk)
    log = ReadLog(desk.resources)
    shard = desk.workplace.fleet.shards["shard-1"]
    async with shard.session() as mover:
        await fence(mover, desk.client_id)
        log.note(desk.access, given, "stream")
        await log.flush()
        assert len(log) == 1
        await set_state(mover, desk.client_id, "open")
    await log.flush()
    assert (await reads(desk), len(log), log.lost) == (1, 0, 0)


async def test_what_does_not_fit_is_counted(desk: Desk) -> None:
    given = await outgoing(desk)
    async with read_log(desk.resources, ReadLimits(queue=3, every_seconds=60)) as log:
        for _ in range(5):
            log.note(desk.access, given, "stream")
        assert (len(log), log.lost) == (3, 2)
    assert (await reads(desk), log.lost) == (3, 2)


def tag(number: int) -> documents.Precondition:
    """If-Match with this row version."""
    return lambda document: document.row_version == number


async def outgoing(desk: Desk) -> Outgoing:
    document = await desk.document()
    await desk.uploaded(document, b"content")
    return await content.outgoing(desk.resources, desk.access, document.id, None)


async def reads(desk: Desk) -> int:
    rows = await desk.rows(
        "SELECT action FROM docshard.audit_logs WHERE client_id = %s", desk.client_id
    )
    return Counter(row["action"] for row in rows)["content.read"]


async def filed(desk: Desk, number: int) -> bool:
    return await reads(desk) == number
