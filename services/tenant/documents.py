"""Use cases on documents. Each one is one transaction on the tenant's shard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from services.access.admission import TenantAccess
from services.audit import Event, record
from services.committed import Committed, read, write
from services.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
)
from services.idempotency import key_for, once_in_tenant
from services.ids import new_id
from services.resources import Resources
from services.tenant.merge_patch import merge_patch, size_of
from shards import documents
from shards.documents import Document
from shards.tenants import TenantRead, TenantWrite

MAX_METADATA_BYTES = 64 * 1024

_DOCUMENT: TypeAdapter[Document] = TypeAdapter(Document)


@dataclass(frozen=True, slots=True)
class NewDocument:
    """What a document is made of; its content comes later."""

    original_name: str
    mime_type: str
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DocumentPatch:
    """What to change; None leaves as it is. `metadata` is a JSON Merge Patch (RFC 7396)."""

    original_name: str | None = None
    metadata: dict[str, Any] | None = None


Precondition = Callable[[Document], bool]
"""If-Match: whether the document is still what the caller saw."""


async def create(
    resources: Resources, access: TenantAccess, new: NewDocument, key: str | None = None
) -> Committed[Document]:
    """Make a document without content.

    Raises:
        IdempotencyMismatch, IdempotencyInProgress, and what every tenant's write may raise.
    """
    _check_metadata(new.metadata)
    caller = access.caller
    asked = [new.original_name, new.mime_type, new.metadata]
    once = key_for(caller.principal, key, "create_document", asked)

    async def work(tenant: TenantWrite) -> Document:
        async def effect() -> Document:
            document = _made(tenant, new, caller.principal.user_id)
            await documents.insert(tenant, document)
            await record(tenant, caller, _event("document.create", None, document))
            return document

        return await once_in_tenant(tenant, once, _DOCUMENT, effect)

    return await write(resources, access.client_id, work)


async def get(
    resources: Resources, access: TenantAccess, document_id: UUID, *, deleted: bool = False
) -> Document:
    """One document; a soft-deleted one only when asked for.

    Raises:
        NotFound.
    """

    async def work(tenant: TenantRead) -> Document | None:
        return await documents.get(tenant, document_id)

    document = await read(resources, access.client_id, work)
    if document is None or (document.deleted_at is not None and not deleted):
        raise NotFound
    return document


async def update(
    resources: Resources,
    access: TenantAccess,
    document_id: UUID,
    patch: DocumentPatch,
    precondition: Precondition,
) -> Committed[Document]:
    """Change name and metadata.

    Raises:
        NotFound, PreconditionFailed; InvalidRequest: the merged metadata is too large.
    """

    def patched(before: Document) -> Document:
        name = before.original_name if patch.original_name is None else patch.original_name
        metadata = before.metadata
        if patch.metadata is not None:
            metadata = merge_patch(before.metadata, patch.metadata)
            _check_metadata(metadata)
        return replace(before, original_name=name, metadata=metadata)

    async def work(tenant: TenantWrite) -> Document:
        before = await _locked(tenant, document_id, precondition)
        after = patched(before)
        # Nothing to change is no change: no row version, no audit row.
        if after == before:
            return before
        return await _store(tenant, access, "document.update", before, after)

    return await write(resources, access.client_id, work)


async def delete(
    resources: Resources, access: TenantAccess, document_id: UUID, precondition: Precondition
) -> Committed[Document]:
    """Soft-delete a document: it can be restored.

    Raises:
        NotFound, PreconditionFailed.
    """

    async def work(tenant: TenantWrite) -> Document:
        before = await _locked(tenant, document_id, precondition)
        return await _store(
            tenant, access, "document.delete", before, replace(before, deleted_at=tenant.now)
        )

    return await write(resources, access.client_id, work)


async def restore(
    resources: Resources, access: TenantAccess, document_id: UUID
) -> Committed[Document]:
    """Take back a soft delete.

    Raises:
        NotFound; Conflict: the document is not deleted.
    """

    async def work(tenant: TenantWrite) -> Document:
        before = await documents.lock(tenant, document_id)
        if before is None:
            raise NotFound
        if before.deleted_at is None:
            raise Conflict("The document is not deleted, so there is nothing to restore.")
        return await _store(
            tenant, access, "document.restore", before, replace(before, deleted_at=None)
        )

    return await write(resources, access.client_id, work)


async def lock_living(tenant: TenantWrite, document_id: UUID) -> Document:
    """A living document, locked until the transaction ends.

    Raises:
        NotFound.
    """
    document = await documents.lock(tenant, document_id)
    if document is None or document.deleted_at is not None:
        raise NotFound
    return document


def changed(tenant: TenantWrite, document: Document) -> Document:
    """The document as it is stored after a change: a new row version, and so a new ETag."""
    return replace(document, row_version=document.row_version + 1, updated_at=tenant.now)


def image(document: Document) -> dict[str, Any]:
    """What the audit log keeps of a document: everything a tenant sees, no keys of ours."""
    checksum = document.checksum_sha256
    return {
        "original_name": document.original_name,
        "mime_type": document.mime_type,
        "current_version": document.current_version,
        "size": document.size,
        "checksum_sha256": None if checksum is None else checksum.hex(),
        "metadata": document.metadata,
        "deleted_at": document.deleted_at,
    }


async def _locked(tenant: TenantWrite, document_id: UUID, precondition: Precondition) -> Document:
    document = await lock_living(tenant, document_id)
    if not precondition(document):
        raise PreconditionFailed
    return document


async def _store(
    tenant: TenantWrite, access: TenantAccess, action: str, before: Document, after: Document
) -> Document:
    stored = changed(tenant, after)
    await documents.update(tenant, stored)
    await record(tenant, access.caller, _event(action, before, stored))
    return stored


def _made(tenant: TenantWrite, new: NewDocument, user_id: UUID) -> Document:
    return Document(
        client_id=tenant.client_id,
        id=new_id(),
        original_name=new.original_name,
        s3_key=None,
        mime_type=new.mime_type,
        current_version=0,
        size=None,
        checksum_sha256=None,
        metadata=new.metadata,
        row_version=1,
        created_at=tenant.now,
        created_by=user_id,
        updated_at=tenant.now,
        deleted_at=None,
    )


def _event(action: str, before: Document | None, after: Document) -> Event:
    return Event(
        action, "document", after.id, None if before is None else image(before), image(after)
    )


def _check_metadata(metadata: dict[str, Any]) -> None:
    if size_of(metadata) > MAX_METADATA_BYTES:
        message = f"must not take more than {MAX_METADATA_BYTES} bytes as JSON"
        raise InvalidRequest.at("/metadata", message)


__all__ = [
    "Document",
    "DocumentPatch",
    "NewDocument",
    "Precondition",
    "changed",
    "create",
    "delete",
    "get",
    "image",
    "lock_living",
    "restore",
    "update",
]
