"""The copy of the documents' bucket in another region, where the store itself does not make it.

A key is written once and never with other bytes, so a copy is missing or right: what is compared is
names. Bytes that are not those which the store has counted and hashed are never copied. What was
removed here stays there, for as long as that bucket's own rules say; erased clients are removed
there, too.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from services.blobs.store import BlobAbsent, BlobStore, Expected
from services.errors import ChecksumMismatch, ContentTooLarge, ServiceError, StorageUnavailable
from services.exposition.family import Family, gauge
from services.fleet.point_manifests import copy_settings
from services.fleet.portability.at_once import AtOnce
from services.resources import Resources
from services.s3_settings import S3Settings

_log = logging.getLogger(__name__)
_VALID_SECONDS: Final = 60.0
_MOST_FAULTS: Final = 100
"""A store that does not give so many objects in one run is taken for one that is away."""


@dataclass
class BlobCopy:
    """Copies what the copy lacks, again and again, and knows what it could not copy.

    One object that cannot be had keeps no other from its copy. It is logged, counted for whoever
    watches, and tried again: at each run, or where its bytes are not those that were stored, after
    `patience_seconds`, since no store gives other ones soon.
    """

    resources: Resources
    patience_seconds: float = 3600.0
    _faulty: dict[str, float] = field(default_factory=dict)
    """Keys that could not be copied, and when they are due again, by the clock of this process."""
    _running: bool = False
    _ended_at: float = -math.inf

    async def run(self) -> int:
        """Copy every object that the copy lacks; answers how many. May be repeated.

        Raises:
            StorageUnavailable: one of the two does not answer; what was copied stays.
        """
        self._running = True
        try:
            return sum([await self._fill(one) for one in copy_settings(self.resources.settings)])
        finally:
            self._running, self._ended_at = False, time.monotonic()

    def families(self) -> list[Family]:
        """What could not be copied, as Prometheus reads it; none where no copy is made of late."""
        every = self.resources.settings.backup.blob_copy_seconds
        if not self._running and time.monotonic() - self._ended_at > 3 * every + _VALID_SECONDS:
            return []
        told = "Objects that could not be copied to the other region."
        return [gauge("docshard_blob_copy_faulty", told, [({}, len(self._faulty))], "max")]

    async def _fill(self, settings: S3Settings) -> int:
        here, there = self.resources.blobs, BlobStore(settings)
        filling, now = _Filling(here, there), time.monotonic()
        try:
            async with AtOnce() as copying:
                async for key in missing(here.list_keys(""), there.list_keys("")):
                    if self._faulty.get(key, now) > now:
                        filling.waiting.add(key)
                    else:
                        await copying.start(key, self._try(filling, key))
        finally:
            await there.close()
        # What is here no more, or there by now, is no fault.
        kept = filling.waiting | filling.faults
        self._faulty = {key: due for key, due in self._faulty.items() if key in kept}
        return filling.copied

    async def _try(self, filling: _Filling, key: str) -> None:
        try:
            await filling.copy(key)
        except (ChecksumMismatch, ContentTooLarge) as error:
            self._note(filling, key, error, self.patience_seconds)
        except StorageUnavailable as error:
            await filling.demand_stores(error)
            self._note(filling, key, error, 0)

    def _note(self, filling: _Filling, key: str, error: ServiceError, seconds: float) -> None:
        if key not in self._faulty:
            asked = "`docshard doctor --deep --read-blobs` says whose it is"
            _log.error("%s cannot be copied: %s %s", key, error, asked)
        self._faulty[key] = time.monotonic() + seconds
        filling.faults.add(key)


@dataclass
class _Filling:
    """One run between two stores: what it copied, what it could not, what waits for its time."""

    here: BlobStore
    there: BlobStore
    copied: int = 0
    faults: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)

    async def copy(self, key: str) -> None:
        """Copy one; what is gone by now is none."""
        await _copy(self.here, self.there, key)
        self.copied += 1

    async def demand_stores(self, error: StorageUnavailable) -> None:
        """It is the object's fault alone while both stores answer, and give most others.

        Raises:
            StorageUnavailable.
        """
        if len(self.faults) >= _MOST_FAULTS:
            raise error
        for store in (self.here, self.there):
            await store.check()


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
    try:
        await take_back_removed(here, there, key)
    except StorageUnavailable:
        # Whether it is still wanted is not known: the next run asks, and makes it again.
        await there.whole.remove(key)
        raise


async def take_back_removed(here: BlobStore, there: BlobStore, key: str) -> None:
    """Remove a copy whose object went while it was made.

    Who erases a client removes its objects here first, then there. So either this one is gone here
    by now, or what is removed there later has its copy among it. No key begins like another.
    """
    if await here.head(key) is None:
        await there.whole.remove(key)
