"""The copy of the documents' bucket: what is missing is copied, and what is lost comes back."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from services.backup_settings import BackupBucket, BackupSettings
from services.blobs.store import BlobStore, Expected
from services.fleet import blob_canaries
from services.fleet.blob_copy import copy_missing, take_back_removed
from services.fleet.point_manifests import copy_settings
from services.fleet.portability.layout import NamedBlob
from services.fleet.side_restore.contents import Contents
from services.resources import Resources
from services.tenant import content
from services.tenant.content import Incoming
from tests.integration.desk import Desk, single
from tests.integration.s3 import SECOND_BUCKET


@pytest.fixture
async def copied(desk: Desk) -> AsyncIterator[tuple[Resources, BlobStore]]:
    """A process that knows of a copy, and the copy."""
    s3 = desk.resources.settings.s3
    backup = BackupSettings(
        blob_copy=BackupBucket(endpoint=s3.endpoint, bucket=SECOND_BUCKET),
        access_key=s3.access_key,
        secret_key=SecretStr(s3.secret_key.get_secret_value()),
    )
    settings = desk.resources.settings.model_copy(update={"backup": backup})
    (there,) = copy_settings(settings)
    store = BlobStore(there)
    await store.ensure_bucket()
    yield replace(desk.resources, settings=settings), store
    await store.close()


async def test_the_copys_age_is_that_of_its_newest_canary(
    copied: tuple[Resources, BlobStore],
) -> None:
    resources, copy = copied
    settings = resources.settings
    yesterday, then, now = (
        datetime(2026, 11, day, hour, tzinfo=UTC) for day, hour in ((22, 9), (23, 10), (23, 11))
    )
    for moment in (yesterday, then):
        await blob_canaries.sing(resources, moment)
        await copy_missing(resources)
    assert await blob_canaries.newest_copied(settings) == then
    await blob_canaries.sing(resources, now)
    # It is not there before it was copied; those of yesterday are gone, here and there.
    assert await blob_canaries.newest_copied(settings) == then
    await copy_missing(resources)
    assert await blob_canaries.newest_copied(settings) == now
    for store in (resources.blobs, copy):
        keys = [key async for page in store.list_keys("copy-canaries/") for key in page]
        assert len(keys) == 2
        for key in keys:
            await store.delete(key)


async def test_what_is_missing_is_copied_and_comes_back(
    desk: Desk, copied: tuple[Resources, BlobStore]
) -> None:
    """I8: a content that the bucket has lost, its versions too, is in the copy."""
    resources, copy = copied
    document = await desk.document()
    text = b"kept twice"
    version = (await content.put(resources, desk.access, document.id, Incoming(single(text)))).value
    assert await copy_missing(resources) >= 1
    assert await copy_missing(resources) == 0
    blob = NamedBlob(version.s3_key, hashlib.sha256(text).hexdigest(), len(text), "text/plain")
    await resources.blobs.delete(blob.s3_key)
    assert not await Contents(resources.blobs).ensure(blob)
    assert await Contents(resources.blobs, (copy,)).ensure(blob)
    there = await resources.blobs.head(blob.s3_key)
    assert there is not None
    assert there.size == len(text)
    # Bytes that are not what the row says are no copy.
    other = replace(blob, s3_key=f"{blob.s3_key}-other", sha256=hashlib.sha256(b"x").hexdigest())
    assert not await Contents(resources.blobs, (copy,)).ensure(other)


async def test_a_copy_goes_with_what_was_erased_while_it_was_made(
    desk: Desk, copied: tuple[Resources, BlobStore]
) -> None:
    resources, copy = copied
    expected = Expected(4, hashlib.sha256(b"left").hexdigest())
    kept, erased = (f"{desk.client_id}/{name}" for name in ("kept", "erased"))
    await resources.blobs.put_stream(kept, single(b"left"), "text/plain", expected)
    for key in (kept, erased):
        await copy.put_stream(key, single(b"left"), "text/plain", expected)
        await take_back_removed(resources.blobs, copy, key)
    assert await copy.head(kept) is not None
    assert (await copy.whole.count(erased)).versions == 0
