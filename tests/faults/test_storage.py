"""The object store away, slow or refusing: metadata lives, uploads fail clearly, nothing stays."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from pydantic import HttpUrl

from services.errors import Overloaded, StorageUnavailable
from services.fleet import blob_check
from services.resources import open_data
from services.settings import DatabaseRole
from services.tenant import content, documents
from services.tenant.content import Incoming
from services.tenant.document_state import NewDocument
from services.tenant.documents import Document, DocumentPatch
from tests.integration.desk import Desk, Workplace, caller_of, send, single
from tests.integration.proxy import Proxy, proxy_to
from tests.integration.s3 import S3Server
from tests.integration.test_uploads import expire, sweep

MIB = 1024**2
IN_PARTS = 11 * MIB


@asynccontextmanager
async def behind(
    workplace: Workplace, proxy: Proxy, patience_seconds: float = 0.5
) -> AsyncIterator[Desk]:
    """A router that reaches S3 by the proxy; in a hurry, where slowness is the fault."""
    s3 = workplace.s3.model_copy(
        update={
            "endpoint": HttpUrl(f"http://127.0.0.1:{proxy.port}"),
            "read_timeout_seconds": patience_seconds,
            "connect_timeout_seconds": 0.5,
            "attempts": 1,
        }
    )
    client_id = await workplace.fleet.tenant("shard-1")
    async with workplace.process(s3=s3, multipart_bytes=6 * MIB, part_bytes=5 * MIB) as opened:
        yield Desk(workplace, opened, caller_of(client_id))


@pytest.fixture
async def proxy(s3_server: S3Server) -> AsyncIterator[Proxy]:
    port = urlsplit(str(s3_server.settings.endpoint)).port
    assert port is not None
    async with proxy_to(port) as made:
        yield made


def hurt(proxy: Proxy, fault: str) -> None:
    proxy.refuses = fault == "503"
    proxy.delay_seconds = 2.0 if fault == "slow" else 0.0
    proxy.cut()


async def metadata_lives(desk: Desk, document: Document) -> None:
    before = await documents.get(desk.resources, desk.access, document.id)
    patch = DocumentPatch(metadata={"touched": before.row_version})
    await documents.update(desk.resources, desk.access, document.id, patch, lambda _: True)
    new = NewDocument("b.txt", "text/plain", {})
    await documents.create(desk.resources, desk.access, new)


@pytest.mark.parametrize("fault", ["503", "slow"])
async def test_uploads_fail_clearly_and_leave_nothing(
    workplace: Workplace, proxy: Proxy, fault: str
) -> None:
    async with behind(workplace, proxy) as desk:
        document = await desk.document()
        small = await desk.begin(document, b"small")
        large = await desk.begin(document, bytes(IN_PARTS))
        await send(small, b"small")
        await send(large, bytes(IN_PARTS))
        hurt(proxy, fault)
        began = time.monotonic()
        with pytest.raises(StorageUnavailable):
            put = Incoming(single(os.urandom(IN_PARTS)))
            await content.put(desk.resources, desk.access, document.id, put)
        for granted in (small, large):
            with pytest.raises(StorageUnavailable):
                await desk.complete(granted)
        assert time.monotonic() - began < 20
        await metadata_lives(desk, document)
        after = await documents.get(desk.resources, desk.access, document.id)
        assert after.current_version == 0

        hurt(proxy, "none")
        versions = [(await desk.complete(granted)).version_number for granted in (small, large)]
        assert versions == [1, 2]
        await expire(desk)
        await sweep(desk)
        assert len(await desk.blobs()) == 2
        assert await desk.rows("SELECT FROM docshard.uploads") == []


async def test_a_store_that_freezes_is_given_up_and_served_again(
    workplace: Workplace, proxy: Proxy, s3_server: S3Server
) -> None:
    async with behind(workplace, proxy) as desk:
        document = await desk.document()
        with s3_server.frozen():
            with pytest.raises(StorageUnavailable):
                put = Incoming(single(b"content"))
                await content.put(desk.resources, desk.access, document.id, put)
            await metadata_lives(desk, document)
        put = Incoming(single(b"content"))
        made = await content.put(desk.resources, desk.access, document.id, put)
        assert made.value.version_number == 1


async def test_a_cut_while_a_large_upload_is_verified_is_mended_by_completing_again(
    workplace: Workplace, proxy: Proxy
) -> None:
    async with behind(workplace, proxy, patience_seconds=10) as desk:
        document = await desk.document()
        sent = os.urandom(IN_PARTS)
        granted = await desk.begin(document, sent)
        await send(granted, sent)
        ticket = granted.ticket
        parts = desk.resources.blobs.direct
        [row] = await desk.rows("SELECT s3_upload_id FROM docshard.uploads")
        # As a router that is killed after it had the parts assembled and before it was done.
        await parts.assemble(ticket.s3_key, row["s3_upload_id"], ticket.size)
        hurt(proxy, "503")
        with pytest.raises((StorageUnavailable, Overloaded)):
            await desk.complete(granted)
        async with open_data(workplace.settings(), DatabaseRole.ADMIN) as data:
            report = await blob_check.check(data, desk.resources.blobs, blob_check.WHOLE)
            assert [one.split(",")[0] for one in report.unseen] == ["shard-1"]
            hurt(proxy, "none")
            assert (await desk.complete(granted)).version_number == 1
            report = await blob_check.check(data, desk.resources.blobs, blob_check.WHOLE)
        assert (report.versions, report.missing, report.orphans) == (1, [], [])
        assert report.unseen == []
