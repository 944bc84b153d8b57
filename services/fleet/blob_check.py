"""Whether rows and blobs agree (I8): each version's blob is there, and no blob is nobody's.

A sample is bounded in tenants and versions and costs one HEAD for each version. The whole looks at
everything, and also lists the bucket for blobs that no row names. Nothing is changed.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from global_db.errors import ClusterError
from services.blobs.store import BlobInfo, BlobStore
from services.errors import NotFound, ServiceError
from services.failures import global_failures, tenant_failures
from services.resources import Data
from shards import inventory, versions
from shards.tenants import TenantRead
from shards.versions import NamedBlob

_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)
_PAGE = 500
_SIDE_BY_SIDE = 8


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is looked at; None: everything."""

    tenants_of_shard: int | None = 20
    versions_of_tenant: int | None = 25

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self.tenants_of_shard is None and self.versions_of_tenant is None


SAMPLE, WHOLE = Extent(), Extent(None, None)


@dataclass(slots=True)
class BlobReport:
    """What was looked at and what is wrong, in words for an operator."""

    tenants: int = 0
    versions: int = 0
    blobs: int = 0
    missing: list[str] = field(default_factory=list)
    """Versions whose blob is absent or has another length or digest."""
    orphans: list[str] = field(default_factory=list)
    """Keys of blobs that no row names; only the whole finds them."""
    unseen: list[str] = field(default_factory=list)
    """What could not be looked at, and why."""


async def check(data: Data, blobs: BlobStore, extent: Extent = SAMPLE) -> BlobReport:
    """Compare rows with blobs on every shard; what does not answer is told in the report.

    Raises:
        DirectoryUnavailable.
    """
    report = BlobReport()
    with global_failures():
        await data.registry.refresh()
    for shard in data.registry.shards():
        try:
            await _check_shard(data, blobs, shard.name, extent, report)
        except (ClusterError, ServiceError) as error:
            report.unseen.append(f"{shard.name}, or a part of it: {error}")
    return report


async def _check_shard(
    data: Data, blobs: BlobStore, shard: str, extent: Extent, report: BlobReport
) -> None:
    for client_id in await _tenants(data, shard, extent.tenants_of_shard):
        try:
            await _check_versions(data, blobs, client_id, extent, report)
            if extent.whole:
                await _check_orphans(data, blobs, client_id, report)
        except NotFound:
            # Being made at this moment: the shard knows a client first, the directory last.
            continue
        report.tenants += 1


async def _tenants(data: Data, shard: str, most: int | None) -> list[UUID]:
    found: list[UUID] = []
    after = _FIRST
    while True:
        async with data.registry.cluster(shard).read() as connection:
            page = await inventory.tenants(connection, after, _PAGE)
        found += page
        if len(page) < _PAGE:
            break
        after = page[-1]
    if most is None or len(found) <= most:
        return found
    return random.sample(found, most)


async def _check_versions(
    data: Data, blobs: BlobStore, client_id: UUID, extent: Extent, report: BlobReport
) -> None:
    places = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def look(version: NamedBlob) -> str | None:
        async with places:
            return fault(version, await blobs.head(version.s3_key))

    async for page in versions_of(data, client_id, extent.versions_of_tenant):
        report.versions += len(page)
        wrong = await asyncio.gather(*(look(version) for version in page))
        report.missing += [f"client {client_id}: {one}" for one in wrong if one is not None]


async def versions_of(
    data: Data, client_id: UUID, most: int | None = None
) -> AsyncIterator[list[NamedBlob]]:
    """The newest versions of a tenant, or all of them, in pages."""
    before, limit = _LAST, _PAGE if most is None else most

    async def work(tenant: TenantRead) -> list[NamedBlob]:
        return await versions.blobs(tenant, before, limit)

    while True:
        with tenant_failures():
            page = await data.tenants.read(client_id, work)
        yield page
        if most is not None or len(page) < limit:
            return
        before = page[-1].id


def fault(version: NamedBlob, info: BlobInfo | None) -> str | None:
    """What speaks against a version's blob; None for the blob that there is not."""
    name = f"document {version.document_id} version {version.version_number}"
    if info is None:
        return f"{name}: its blob {version.s3_key} is absent"
    if info.size != version.size:
        return f"{name}: its blob has {info.size} bytes, not {version.size}"
    if info.sha256 is not None and info.sha256 != version.checksum_sha256:
        return f"{name}: its blob has another SHA-256"
    return None


async def _check_orphans(data: Data, blobs: BlobStore, client_id: UUID, report: BlobReport) -> None:
    """Listed before the rows are asked: a row comes before its blob, so each should have one."""
    async for keys in blobs.list_keys(f"{client_id}/"):
        report.blobs += len(keys)
        documents = list(_documents(keys))

        async def work(tenant: TenantRead, documents: list[UUID] = documents) -> set[str]:
            return await inventory.keys(tenant, documents)

        with tenant_failures():
            named = await data.tenants.read(client_id, work)
        for key in sorted(set(keys) - named):
            # One that was removed between the two looks is no orphan.
            if await blobs.head(key) is not None:
                report.orphans.append(key)


def _documents(keys: Iterable[str]) -> Iterable[UUID]:
    """The documents of keys `client/document/upload`; others are nobody's anyway."""
    for text, _ in itertools.groupby(keys, lambda key: key.split("/")[1]):
        try:
            yield UUID(text)
        except ValueError:
            continue
