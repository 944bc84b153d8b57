"""The copy of the documents' bucket in another region, where the store itself does not make it.

A key is written once and never with other bytes, so a copy is missing or right: what is compared is
names. What was removed here stays there, for as long as that bucket's own rules say; erased clients
are removed there, too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing

from services.blobs.store import BlobAbsent, BlobStore, Expected
from services.fleet.point_manifests import copy_settings
from services.fleet.portability.at_once import AtOnce
from services.resources import Resources


async def copy_missing(resources: Resources) -> int:
    """Copy every object that the copy lacks; answers how many. May be repeated.

    Raises:
        StorageUnavailable: one of the two does not answer; what was copied stays.
    """
    copied = 0
    for settings in copy_settings(resources.settings):
        there = BlobStore(settings)
        try:
            async with AtOnce() as copying:
                async for key in missing(resources.blobs.list_keys(""), there.list_keys("")):
                    await copying.start(key, _copy(resources.blobs, there, key))
                    copied += 1
        finally:
            await there.close()
    return copied


async def missing(
    here: AsyncIterator[list[str]], there: AsyncIterator[list[str]]
) -> AsyncIterator[str]:
    """Keys that are here and not there; both come in order, by pages."""
    copies = _each(there)
    other = await anext(copies, None)
    async for key in _each(here):
        while other is not None and other < key:
            other = await anext(copies, None)
        if other != key:
            yield key


async def _each(pages: AsyncIterator[list[str]]) -> AsyncIterator[str]:
    async for page in pages:
        for key in page:
            yield key


async def _copy(here: BlobStore, there: BlobStore, key: str) -> None:
    info = await here.head(key)
    if info is None:
        return
    digest = None if info.sha256 is None else info.sha256.hex()
    try:
        reader = await here.open_stream(key)
    except BlobAbsent:
        return
    with closing(reader):
        expected = Expected(info.size, digest)
        await there.put_stream(key, aiter(reader), info.mime_type, expected)
    await take_back_removed(here, there, key)


async def take_back_removed(here: BlobStore, there: BlobStore, key: str) -> None:
    """Remove a copy whose object went while it was made.

    Who erases a client removes its objects here first, then there. So either this one is gone here
    by now, or what is removed there later has its copy among it. No key begins like another.
    """
    if await here.head(key) is None:
        await there.whole.remove(key)
