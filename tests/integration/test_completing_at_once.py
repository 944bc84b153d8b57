"""One upload, completed by two processes of which one is the slower at every step."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from pydantic import HttpUrl

from global_db.cluster import NodeAddress
from services.tenant.versions import Version
from tests.integration.desk import Desk, send
from tests.integration.wire import Wire

MIB = 1024**2


@asynccontextmanager
async def slower(desk: Desk) -> AsyncIterator[tuple[Desk, Wire]]:
    """The same caller in another process, whose line to the object store can be held."""
    s3 = desk.workplace.s3
    there = NodeAddress(name="s3", host=s3.endpoint.host or "", port=s3.endpoint.port or 0)
    async with Wire(there).up() as wire:
        endpoint = HttpUrl(f"http://127.0.0.1:{wire.address.port}")
        way = s3.model_copy(update={"endpoint": endpoint})
        async with desk.workplace.process(
            s3=way, multipart_bytes=6 * MIB, part_bytes=5 * MIB
        ) as resources:
            yield replace(desk, resources=resources), wire


# What a completion asks of the object store, in turn: the slower one is stopped before each.
STEPS = [
    *((9, step) for step in (b"HEAD ", b"GET ")),
    *((6 * MIB + 1, step) for step in (b"GET ", b"POST ")),
]


@pytest.mark.parametrize("equal", [False, True], ids=["new content", "the newest again"])
async def test_both_answer_the_same_version(desk: Desk, *, equal: bool) -> None:
    """I7, I8. Content equal to the newest is not kept: its blob goes once it is a version."""
    async with slower(desk) as (other, wire):
        for size, step in STEPS:
            document, sent = await desk.document(), os.urandom(size)
            if equal:
                await desk.uploaded(document, sent)
            granted = await desk.begin(document, sent)
            await send(granted, sent)
            wire.hold_from(step)
            late = asyncio.create_task(other.complete(granted))
            await wire.held.wait()
            first = await desk.complete(granted)
            wire.release()
            assert await late == first
            wanted = list(range(1, first.version_number + 1))
            assert await numbers(desk, document.id) == wanted


async def numbers(desk: Desk, document_id: object) -> list[int]:
    rows = await desk.rows(
        "SELECT version_number FROM docshard.document_versions WHERE document_id = %s ORDER BY 1",
        document_id,
    )
    return [row["version_number"] for row in rows]


async def test_what_really_is_incomplete_is_said_to_be(desk: Desk) -> None:
    granted = await desk.begin(await desk.document(), b"never sent")
    outcomes = await asyncio.gather(
        *(desk.complete(granted) for _ in range(2)), return_exceptions=True
    )
    assert [getattr(one, "code", one) for one in outcomes] == ["upload_incomplete"] * 2
    assert not any(isinstance(one, Version) for one in outcomes)
