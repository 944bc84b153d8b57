"""The copy of the documents' bucket: what is missing is copied, and what is lost comes back."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from services.backup_settings import BackupBucket, BackupSettings
from services.blobs.store import BlobStore
from services.fleet.blob_copy import copy_missing
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
