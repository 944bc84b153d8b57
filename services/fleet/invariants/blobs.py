"""Proving that each version's blob is there, and is its own (I8); and asking for objects at all."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from services.blobs.store import BlobAbsent, BlobInfo, BlobStore
from services.failures import tenant_failures
from services.fleet import blob_check
from services.fleet.archive_objects import read_again
from services.fleet.invariants.findings import Finding, Report, Rule
from services.resources import Data
from shards import versions
from shards.archives import StoredObject
from shards.tenants import TenantRead
from shards.versions import NamedBlob

_ASKED_AT_ONCE: Final = 16
_READ_AT_ONCE: Final = 4
_MEANS: Final = "its content cannot be given, or is not what was stored"
_DO: Final = "restore the blob from the bucket's older versions or from a backup"


@dataclass(frozen=True, slots=True)
class Blobs:
    """The object store as a proof asks it: bounded over all tenants of the proof together.

    `reads`: what an object is, is computed from its bytes; else it is what the store says.
    """

    data: Data
    store: BlobStore
    reads: bool = False
    _asking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_ASKED_AT_ONCE))
    _reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_READ_AT_ONCE))

    async def prove(self, client: UUID, report: Report) -> None:
        """Look at the blob of every version of a client.

        Raises:
            ServiceError.
        """
        async for page in blob_check.versions_of(self.data, client):
            found = await asyncio.gather(
                *(self._wrong(client, version, report) for version in page)
            )
            for one in found:
                if one is not None:
                    report.add(one)

    async def ask(self, key: str) -> BlobInfo | None:
        """What the store says of an object; None when there is none.

        Raises:
            StorageUnavailable.
        """
        async with self._asking:
            return await self.store.head(key)

    async def archived(self, key: str, report: Report) -> StoredObject:
        """What an archive's object holds, each row proven.

        Raises:
            BrokenRow, BlobAbsent, StorageUnavailable.
        """
        async with self._reading:
            held = await read_again(self.store, key)
        report.bytes_read += held.size
        return held

    async def _object(self, key: str, report: Report) -> BlobInfo | None:
        info = await self.ask(key)
        if info is None or not self.reads:
            return info
        found = await self._read(key, info)
        report.bytes_read += 0 if found is None else found.size
        return found

    async def _wrong(self, client: UUID, version: NamedBlob, report: Report) -> Finding | None:
        info = await self._object(version.s3_key, report)
        report.blobs += 1
        what = blob_check.fault(version, info)
        # One that was purged since its page was read needs no blob.
        if what is None or not await self._is_still_there(client, version):
            return None
        return Finding(Rule.STORED, what, _MEANS, _DO, client, version.document_id)

    async def _is_still_there(self, client: UUID, version: NamedBlob) -> bool:
        async def work(tenant: TenantRead) -> bool:
            found = await versions.get(tenant, version.document_id, version.version_number)
            return found is not None

        with tenant_failures():
            return await self.data.tenants.read(client, work)

    async def _read(self, key: str, info: BlobInfo) -> BlobInfo | None:
        """The same from the bytes, a chunk at a time."""
        digest, size = hashlib.sha256(), 0
        async with self._reading:
            try:
                async for chunk in await self.store.open_stream(key):
                    digest.update(chunk)
                    size += len(chunk)
            except BlobAbsent:
                return None
        return BlobInfo(size, info.mime_type, digest.digest())
