"""Use cases on versions: history, and the making of the next one (I7)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from services.access.admission import TenantAccess
from services.audit import Event, record
from services.committed import Committed, read, write
from services.cursor import ListScope
from services.errors import NotFound
from services.idempotency import key_for, once_in_tenant
from services.ids import new_id
from services.pages import Page, PageRequest, page_of, start_of
from services.resources import Resources
from services.tenant.document_state import (
    Precondition,
    changed,
    image,
    lock_unchanged,
)
from shards import documents, versions
from shards.documents import Document
from shards.tenants import TenantRead, TenantWrite
from shards.versions import Version

__all__ = ["NewContent", "Version", "append", "get", "list_newest", "living", "promote"]


@dataclass(frozen=True, slots=True)
class NewContent:
    """A blob that lies in S3 and becomes the version with this id. `size` is in bytes."""

    version_id: UUID
    s3_key: str
    mime_type: str
    size: int
    checksum_sha256: bytes
    detected_type: str | None = None


@dataclass(frozen=True, slots=True)
class _Promoted:
    """What is kept for the Idempotency-Key of a promotion."""

    version_id: UUID


_PROMOTED: TypeAdapter[_Promoted] = TypeAdapter(_Promoted)


async def append(
    tenant: TenantWrite, access: TenantAccess, document: Document, content: NewContent
) -> Version:
    """Make the next version of a document that this transaction has locked.

    The lock makes numbers dense: the next one is read from the locked row, and a transaction that
    rolls back leaves no gap.

    Raises:
        NoRoom.
    """
    await tenant.room.take_bytes(content.size)
    version = Version(
        client_id=tenant.client_id,
        id=content.version_id,
        document_id=document.id,
        version_number=document.current_version + 1,
        s3_key=content.s3_key,
        checksum_sha256=content.checksum_sha256,
        size=content.size,
        mime_type=content.mime_type,
        created_at=tenant.now,
        created_by=access.caller.principal.user_id,
        detected_type=content.detected_type,
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


async def promote(
    resources: Resources,
    access: TenantAccess,
    which: tuple[UUID, int],
    precondition: Precondition,
    key: str | None = None,
) -> Committed[Version]:
    """Make an older version's content the newest: a new version that names the same blob.

    `which` is a document and the number of one of its versions.

    Raises:
        NotFound, PreconditionFailed, IdempotencyMismatch, IdempotencyInProgress.
    """
    document_id, number = which
    asked = [str(document_id), number]
    once = key_for(access.caller.principal, key, "promote_version", asked)

    async def work(tenant: TenantWrite) -> Version:
        async def effect() -> _Promoted:
            document = await lock_unchanged(tenant, document_id, precondition)
            old = await versions.find(tenant, document_id, number)
            if old is None:
                raise NotFound
            content = NewContent(
                version_id=new_id(),
                s3_key=old.s3_key,
                mime_type=old.mime_type,
                size=old.size,
                checksum_sha256=old.checksum_sha256,
                detected_type=old.detected_type,
            )
            return _Promoted((await append(tenant, access, document, content)).id)

        promoted = await once_in_tenant(tenant, once, _PROMOTED, effect)
        version = await versions.find_by_id(tenant, promoted.version_id)
        if version is None:  # purged since
            raise NotFound
        return version

    return await write(resources, access.client_id, work, repeatable=once is not None)


async def get(
    resources: Resources, access: TenantAccess, document_id: UUID, version_number: int
) -> Version:
    """One version of a living document.

    Raises:
        NotFound.
    """

    async def work(tenant: TenantRead) -> Version | None:
        await living(tenant, document_id)
        return await versions.get(tenant, document_id, version_number)

    version = await read(resources, access.client_id, work, access.reading)
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
        await living(tenant, document_id)
        return await versions.newest(tenant, document_id, before, request.limit + 1)

    rows = await read(resources, access.client_id, work, access.reading)
    return page_of(rows, request, lambda last: cursors.encode(scope, (last.version_number,)))


async def living(tenant: TenantRead, document_id: UUID) -> Document:
    """A document that is not deleted.

    Raises:
        NotFound.
    """
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
