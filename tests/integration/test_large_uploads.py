"""Large files, straight to storage and through us: flat memory, a loop that stays free (I9)."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import psutil
import pytest

from services.resources import Resources
from services.tenant import content, uploads
from services.tenant.content import Incoming
from services.tenant.tickets import Granted, Intent
from tests.integration.desk import Desk, Workplace, caller_of

MIB = 1024**2
SIZES = [200 * MIB, pytest.param(2048 * MIB, marks=pytest.mark.torture)]
_BLOCK = bytes(range(256)) * 256


@dataclass
class Watch:
    """The most that a process took while something went on."""

    growth: int = 0
    """Bytes of memory above what it had in the beginning."""
    longest_pause: float = 0.0
    """Seconds for which nothing else got a turn on the event loop."""


@asynccontextmanager
async def watching() -> AsyncIterator[Watch]:
    process, watch = psutil.Process(), Watch()
    before = process.memory_info().rss

    async def look() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.02)
            watch.longest_pause = max(watch.longest_pause, time.monotonic() - began - 0.02)
            watch.growth = max(watch.growth, process.memory_info().rss - before)

    task = asyncio.create_task(look())
    try:
        yield watch
    finally:
        task.cancel()


def blocks(first: int, size: int) -> Iterator[bytes]:
    """Bytes `first` and following of an endless file: each block begins with its number."""
    at, end = first, first + size
    while at < end:
        number, inside = divmod(at, len(_BLOCK))
        block = (number.to_bytes(8, "big") + _BLOCK)[: len(_BLOCK)]
        piece = block[inside : inside + end - at]
        yield piece
        at += len(piece)


def digest_of(size: int) -> str:
    digest = hashlib.sha256()
    for block in blocks(0, size):
        digest.update(block)
    return digest.hexdigest()


async def send(granted: Granted) -> None:
    """Send every part, two at a time, as they are generated."""
    places = asyncio.Semaphore(2)
    async with httpx.AsyncClient(timeout=120) as http:

        async def part(number: int) -> None:
            one = granted.parts[number]

            async def body() -> AsyncIterator[bytes]:
                for block in blocks(one.part.first, one.part.size):
                    yield block

            async with places:
                headers = dict(one.request.headers)
                answer = await http.put(one.request.url, headers=headers, content=body())
            assert answer.status_code == 200, answer.text

        await asyncio.gather(*(part(number) for number in range(len(granted.parts))))


@pytest.fixture
async def large(workplace: Workplace) -> AsyncIterator[Desk]:
    """A caller of a service as it is configured by default."""
    async with workplace.process() as opened:
        yield Desk(workplace, opened, caller_of(await workplace.fleet.tenant("shard-1")))


@pytest.mark.parametrize("size", SIZES)
async def test_parts_are_put_together_and_proven(large: Desk, size: int) -> None:
    resources: Resources = large.resources
    document = await large.document()
    wanted = Intent(size, await asyncio.to_thread(digest_of, size))
    granted = (await uploads.create(resources, large.access, document.id, wanted)).value
    await send(granted)
    async with watching() as watch:
        began = time.monotonic()
        version = await large.complete(granted)
        seconds = time.monotonic() - began
    print(f"{size / MIB:.0f} MiB proven in {seconds:.1f} s, {watch}")  # noqa: T201 - told by pytest -s
    assert (version.size, version.checksum_sha256.hex()) == (size, wanted.sha256_hex)
    assert watch.growth < 48 * MIB
    assert watch.longest_pause < 1.0
    await resources.blobs.discard(version.s3_key)


@pytest.mark.parametrize("size", SIZES)
async def test_a_large_stream_passes_the_router(large: Desk, size: int) -> None:
    document = await large.document()

    async def stream() -> AsyncIterator[bytes]:
        for block in blocks(0, size):
            yield block

    async with watching() as watch:
        put = content.put(large.resources, large.access, document.id, Incoming(stream()))
        version = (await put).value
    print(f"{size / MIB:.0f} MiB streamed, {watch}")  # noqa: T201 - told by pytest -s
    assert version.checksum_sha256.hex() == await asyncio.to_thread(digest_of, size)
    assert watch.growth < 64 * MIB
    await large.resources.blobs.discard(version.s3_key)
