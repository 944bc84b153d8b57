"""Use cases on versions: history, and the making of the next one (I7)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from services.access.admission import TenantAccess
from services.audit import Event, record
from services.committed import read
from services.cursor import ListScope
from services.errors import NotFound
from services.ids import new_id
from services.pages import Page, PageRequest, page_of, start_of
from services.resources import Resources
from services.tenant.documents import changed, image
from shards import documents, versions
from shards.documents import Document
from shards.tenants import TenantRead, TenantWrite
from shards.versions import Version

__all__ = ["NewContent", "Version", "append", "get", "list_newest"]


@dataclass(frozen=True, slots=True)
class NewContent:
    """A blob that lies in S3 and becomes a version. `size` is in bytes."""

    s3_key: str
    mime_type: str
    size: int
    checksum_sha256: bytes


async def append(
    tenant: TenantWrite, access: TenantAccess, document: Document, content: NewContent
) -> Version:
    """Make the next version of a document that this transaction has locked.

    The lock makes numbers dense: the next one is read from the locked row, and a transaction that
    rolls back leaves no gap.
    """
    version = Version(
        client_id=tenant.client_id,
        id=new_id(),
        document_id=document.id,
        version_number=document.current_version + 1,
        s3_key=content.s3_key,
        checksum_sha256=content.checksum_sha256,
        size=content.size,
        mime_type=content.mime_type,
        created_at=tenant.now,
        created_by=access.caller.principal.user_id,
    )
    after = changed(tenant, replace(document, **_current(version)))
    await versions.insert(tenant, version)
    await documents.update(tenant, after)
    await record(
        tenant,
        access.caller,
        Event("version.create", "document", document.id, image(document), image(after)),
    )
    return version


async def get(
    resources: Resources, access: TenantAccess, document_id: UUID, version_number: int
) -> Version:
    """One version of a living document.

    Raises:
        NotFound.
    """

    async def work(tenant: TenantRead) -> Version | None:
        await _living(tenant, document_id)
        return await versions.get(tenant, document_id, version_number)

    version = await read(resources, access.client_id, work)
    if version is None:
        raise NotFound
    return version


async def list_newest(
    resources: Resources, access: TenantAccess, document_id: UUID, request: PageRequest
) -> Page[Version]:
    """A page of a living document's versions, newest first.

    Raises:
        NotFound, InvalidCursor.
    """
    scope = ListScope("versions", access.client_id, {"document_id": document_id})
    cursors = resources.secrets.cursors
    position = await start_of(cursors, scope, request)
    before = None if position is None else int(position[0])

    async def work(tenant: TenantRead) -> list[Version]:
        await _living(tenant, document_id)
        return await versions.newest(tenant, document_id, before, request.limit + 1)

    rows = await read(resources, access.client_id, work)
    return page_of(rows, request, lambda last: cursors.encode(scope, (last.version_number,)))


async def _living(tenant: TenantRead, document_id: UUID) -> Document:
    document = await documents.get(tenant, document_id)
    if document is None or document.deleted_at is not None:
        raise NotFound
    return document


def _current(version: Version) -> dict[str, Any]:
    """What a document repeats of its newest version."""
    return {
        "current_version": version.version_number,
        "s3_key": version.s3_key,
        "mime_type": version.mime_type,
        "size": version.size,
        "checksum_sha256": version.checksum_sha256,
    }
