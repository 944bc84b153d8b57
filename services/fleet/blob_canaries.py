"""How old the copy of the documents' bucket is, whoever makes it.

A small object with the time in its name goes into the bucket every five minutes, and comes into the
copy as everything else does: by our worker, or by the store. The newest one that is there tells.
Our worker copies in the order of keys, and this prefix is behind those of contents and of archived
months: what was there before a canary is on its way when the canary is, but for the objects that
cannot be copied, which `docshard_blob_copy_faulty` counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Final

from services.blobs.store import BlobStore
from services.errors import StorageUnavailable
from services.fleet.point_manifests import copy_settings, put_json
from services.resources import Resources
from services.settings import Settings

EVERY_SECONDS: Final = 300.0
_PREFIX: Final = "copy-canaries/"
_NAME: Final = "%Y%m%dT%H%M%SZ"
_KEPT: Final = timedelta(days=1)


async def sing(resources: Resources, now: datetime | None = None) -> None:
    """Put one into the bucket, and take those of yesterday away, here and there.

    Raises:
        StorageUnavailable.
    """
    moment = now or datetime.now(UTC)
    fault = await put_json(resources.blobs, f"{_PREFIX}{moment:{_NAME}}", b"{}")
    if fault is not None:
        raise StorageUnavailable("The bucket takes no canary.") from fault
    await _forget(resources.blobs, moment - _KEPT)
    for settings in copy_settings(resources.settings):
        there = BlobStore(settings)
        try:
            await _forget(there, moment - _KEPT)
        finally:
            await there.close()


async def newest_copied(settings: Settings) -> datetime | None:
    """When the copy last had all that can be copied; None: there is no copy, or nothing in it yet.

    Raises:
        StorageUnavailable.
    """
    for reached in copy_settings(settings):
        there = BlobStore(reached)
        try:
            found = await _keys(there)
        finally:
            await there.close()
        return _time(found[-1]) if found else None
    return None


async def _forget(store: BlobStore, before: datetime) -> None:
    for key in await _keys(store):
        if _time(key) < before:
            await store.delete(key)


async def _keys(store: BlobStore) -> Sequence[str]:
    """One page has more than there ever are."""
    async with aclosing(store.list_keys(_PREFIX)) as pages:
        return await anext(pages, [])


def _time(key: str) -> datetime:
    return datetime.strptime(key.removeprefix(_PREFIX), _NAME).replace(tzinfo=UTC)
