"""Blobs against a real S3 server: whole or not at all, in little memory, and in bounded time."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from uuid import uuid4

import psutil
import pytest

from services.blobs.s3 import S3Calls
from services.blobs.store import BlobAbsent, BlobStore, ByteRange, Expected, Stored
from services.blobs.upload import PART_BYTES
from services.errors import (
    ChecksumMismatch,
    ContentTooLarge,
    Overloaded,
    RangeNotSatisfiable,
    StorageUnavailable,
)
from services.s3_settings import S3Settings
from tests.integration.s3 import S3Server

MIB = 1024**2
ANY = Expected(limit=100 * MIB)
TYPE = "application/pdf"


async def pieces(content: bytes, size: int = 64 * 1024) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def cut_after(content: bytes, error: BaseException) -> AsyncIterator[bytes]:
    async for piece in pieces(content):
        yield piece
    raise error


async def read(store: BlobStore, key: str, byte_range: ByteRange | None = None) -> bytes:
    reader = await store.open_stream(key, byte_range)
    content = b"".join([chunk async for chunk in reader])
    assert reader.extent.length == len(content)
    return content


async def put(store: BlobStore, key: str, content: bytes) -> Stored:
    return await store.put_stream(key, pieces(content), TYPE, ANY)


@pytest.fixture
def key() -> str:
    return f"test/{uuid4()}"


@pytest.fixture
def remains(s3_settings: S3Settings, key: str) -> Callable[[], list[str]]:
    """List what the store holds under the key, past our own code: blobs and unfinished uploads."""
    calls = S3Calls(s3_settings)

    def look() -> list[str]:
        client, bucket = calls.client, s3_settings.bucket
        found = client.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", [])
        unfinished = client.list_multipart_uploads(Bucket=bucket, Prefix=key).get("Uploads", [])
        return [item["Key"] for item in found] + [item["Key"] for item in unfinished]

    return look


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 77])
async def test_what_was_written_is_read(blobs: BlobStore, key: str, size: int) -> None:
    content = os.urandom(size)
    stored = await put(blobs, key, content)
    assert stored == Stored(size, hashlib.sha256(content).hexdigest())
    info = await blobs.head(key)
    assert info is not None
    assert (info.size, info.mime_type) == (size, TYPE)
    assert await read(blobs, key) == content
    await blobs.delete(key)


async def test_one_chunk_may_be_larger_than_a_part(blobs: BlobStore, key: str) -> None:
    content = os.urandom(3 * PART_BYTES)
    await blobs.put_stream(key, pieces(content, len(content)), TYPE, ANY)
    assert await read(blobs, key) == content
    await blobs.discard(key)


async def test_a_long_stream_takes_little_memory(blobs: BlobStore, key: str) -> None:
    process, piece, highest = psutil.Process(), os.urandom(64 * 1024), 0
    expected = hashlib.sha256(piece * 800).hexdigest()
    await put(blobs, key, piece * 100)  # what the first upload ever needs is no growth
    before = process.memory_info().rss

    async def stream() -> AsyncIterator[bytes]:
        nonlocal highest
        for _ in range(800):
            highest = max(highest, process.memory_info().rss)
            yield piece

    stored = await blobs.put_stream(key, stream(), TYPE, Expected(limit=50 * MIB))
    assert stored == Stored(50 * MIB, expected)
    digest = hashlib.sha256()
    async for chunk in await blobs.open_stream(key):
        highest = max(highest, process.memory_info().rss)
        digest.update(chunk)
    assert digest.hexdigest() == expected
    assert highest - before < 32 * MIB
    await blobs.delete(key)


@pytest.mark.parametrize("size", [1000, PART_BYTES + 1, 2 * PART_BYTES + 1])
async def test_a_stream_cut_in_the_middle_leaves_nothing(
    blobs: BlobStore, key: str, size: int, remains: Callable[[], list[str]]
) -> None:
    with pytest.raises(ConnectionError):
        await blobs.put_stream(key, cut_after(b"x" * size, ConnectionError()), TYPE, ANY)
    assert remains() == []


@pytest.mark.parametrize("milliseconds", [1, 5, 20, 40, 60, 80, 120, 200])
async def test_cancelling_at_any_time_leaves_all_or_nothing(
    blobs: BlobStore, key: str, milliseconds: int, remains: Callable[[], list[str]]
) -> None:
    content = b"x" * (2 * PART_BYTES + 1)
    task = asyncio.create_task(put(blobs, key, content))
    await asyncio.wait({task}, timeout=milliseconds / 1000)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
        assert await read(blobs, key) == content
        await blobs.delete(key)
    assert remains() == []


@pytest.mark.parametrize("size", [1000, PART_BYTES + 1000])
async def test_too_much_is_refused_and_not_kept(
    blobs: BlobStore, key: str, size: int, remains: Callable[[], list[str]]
) -> None:
    async with aclosing(pieces(b"x" * size)) as chunks:
        with pytest.raises(ContentTooLarge):
            await blobs.put_stream(key, chunks, TYPE, Expected(limit=size - 1))
    assert remains() == []
    await blobs.put_stream(key, pieces(b"x" * size), TYPE, Expected(limit=size))
    await blobs.delete(key)


@pytest.mark.parametrize("size", [1000, PART_BYTES + 1000])
async def test_a_wrong_checksum_is_refused_and_nothing_kept(
    blobs: BlobStore, key: str, size: int, remains: Callable[[], list[str]]
) -> None:
    content = os.urandom(size)
    right = hashlib.sha256(content).hexdigest()
    with pytest.raises(ChecksumMismatch, match=right):
        await blobs.put_stream(key, pieces(content), TYPE, Expected(ANY.limit, "0" * 64))
    assert remains() == []
    stored = await blobs.put_stream(key, pieces(content), TYPE, Expected(ANY.limit, right.upper()))
    assert stored.sha256_hex == right
    await blobs.delete(key)


async def test_ranges(blobs: BlobStore, key: str) -> None:
    content = os.urandom(1000)
    await put(blobs, key, content)
    assert await read(blobs, key, ByteRange(0, 0)) == content[:1]
    assert await read(blobs, key, ByteRange(100, 199)) == content[100:200]
    assert await read(blobs, key, ByteRange(990, None)) == content[990:]
    assert await read(blobs, key, ByteRange(None, 10)) == content[-10:]
    assert await read(blobs, key, ByteRange(990, 5000)) == content[990:]
    reader = await blobs.open_stream(key, ByteRange(100, 199))
    assert (reader.extent.first, reader.extent.last, reader.extent.total) == (100, 199, 1000)
    reader.close()
    with pytest.raises(RangeNotSatisfiable) as refusal:
        await blobs.open_stream(key, ByteRange(1000, None))
    assert refusal.value.size == 1000
    await blobs.delete(key)


async def test_what_is_absent_is_said_to_be(blobs: BlobStore, key: str) -> None:
    assert await blobs.head(key) is None
    for byte_range in (None, ByteRange(0, 1)):
        with pytest.raises(BlobAbsent):
            await blobs.open_stream(key, byte_range)
    await blobs.discard(key)
    await blobs.discard(key)


async def test_a_reader_left_in_the_middle_gives_its_place_back(
    s3_settings: S3Settings, blobs: BlobStore, key: str
) -> None:
    await put(blobs, key, b"x" * MIB)
    narrow = BlobStore(s3_settings.model_copy(update={"max_downloads": 1}))
    for _ in range(3):
        reader = await narrow.open_stream(key)
        with pytest.raises(Overloaded):
            await narrow.open_stream(key)
        async for _chunk in reader:
            break
        reader.close()
        reader.close()
    with pytest.raises(BlobAbsent):
        await narrow.open_stream(f"{key}-absent")
    assert len(await read(narrow, key)) == MIB
    await narrow.close()
    await blobs.delete(key)


async def test_uploads_are_bounded(s3_settings: S3Settings, key: str) -> None:
    narrow, gate = BlobStore(s3_settings.model_copy(update={"max_uploads": 1})), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        await gate.wait()

    first = asyncio.create_task(narrow.put_stream(key, slow(), TYPE, ANY))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await put(narrow, f"{key}-second", b"x")
    gate.set()
    assert (await first).size == 1
    await narrow.discard(key)
    await narrow.close()


async def test_an_unfinished_upload_of_a_killed_process_is_found_by_its_key(
    s3_settings: S3Settings, blobs: BlobStore, key: str, remains: Callable[[], list[str]]
) -> None:
    calls = S3Calls(s3_settings)
    for name in (key, f"{key}-neighbour"):
        calls.client.create_multipart_upload(Bucket=s3_settings.bucket, Key=name)
    assert len(remains()) == 2
    await blobs.abort_multipart(key)
    assert remains() == [f"{key}-neighbour"]
    await blobs.discard(f"{key}-neighbour")
    assert remains() == []


async def test_wrong_credentials_are_an_outage_and_not_an_absence(
    s3_settings: S3Settings, key: str
) -> None:
    stranger = BlobStore(s3_settings.model_copy(update={"access_key": "nobody"}))
    with pytest.raises(StorageUnavailable):
        await put(stranger, key, b"x")
    with pytest.raises(StorageUnavailable):
        await stranger.check()
    await stranger.close()


async def test_a_store_that_is_away_is_noticed_at_once(s3_settings: S3Settings, key: str) -> None:
    away = BlobStore(s3_settings.model_copy(update={"endpoint": "http://127.0.0.1:9"}))
    before = time.monotonic()
    with pytest.raises(StorageUnavailable):
        await away.check()
    with pytest.raises(StorageUnavailable):
        await put(away, key, b"x" * (PART_BYTES + 1))
    assert time.monotonic() - before < 8
    await away.close()


async def test_a_store_that_freezes_is_given_up_and_used_again(
    s3_server: S3Server, blobs: BlobStore, key: str, remains: Callable[[], list[str]]
) -> None:
    hasty = BlobStore(
        s3_server.settings.model_copy(update={"read_timeout_seconds": 0.3, "attempts": 1})
    )
    await hasty.check()
    content = b"x" * (2 * PART_BYTES)

    async def frozen_in_the_middle() -> AsyncGenerator[bytes, None]:
        async for piece in pieces(content):
            yield piece
        with s3_server.frozen():
            yield content

    before = time.monotonic()
    with pytest.raises(StorageUnavailable):
        async with aclosing(frozen_in_the_middle()) as chunks:
            await hasty.put_stream(key, chunks, TYPE, ANY)
    assert time.monotonic() - before < 10
    assert (await put(hasty, key, b"x")).size == 1
    await hasty.discard(key)
    assert remains() == []
    await hasty.close()


async def test_folders_are_listed_to_the_last_one(
    s3_settings: S3Settings, blobs: BlobStore, key: str
) -> None:
    """The newest backup is the last of them, and a page has a thousand."""
    calls, names = S3Calls(s3_settings), [f"{number:04}" for number in range(1001)]
    with ThreadPoolExecutor(8) as pool:
        for name in names:
            pool.submit(calls.client.put_object, Bucket=calls.bucket, Key=f"{key}/{name}/x")
    assert await blobs.list_folders(f"{key}/") == names
