"""Use cases on documents. Each one is one transaction on the tenant's shard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from services.access.admission import TenantAccess
from services.audit import record
from services.committed import Committed, read, write, write_once
from services.errors import Conflict, Forbidden, NotFound, Retained
from services.idempotency import key_for
from services.resources import Resources
from services.tenant.document_state import (
    NewDocument,
    Precondition,
    changed,
    check_metadata,
    event,
    lock_unchanged,
    made,
)
from services.tenant.merge_patch import merge_patch
from shards import documents
from shards.documents import Document
from shards.tenants import TenantRead, TenantWrite

_DOCUMENT: TypeAdapter[Document] = TypeAdapter(Document)


@dataclass(frozen=True, slots=True)
class DocumentPatch:
    """What to change; None leaves as it is. `metadata` is a JSON Merge Patch (RFC 7396)."""

    original_name: str | None = None
    metadata: dict[str, Any] | None = None
    legal_hold: bool | None = None
    retain_until: datetime | None = None

    @property
    def keeps(self) -> bool:
        """Whether it touches what decides if a document may be purged."""
        return self.legal_hold is not None or self.retain_until is not None

    def applied(self, before: Document) -> Document:
        """The document with these changes.

        Raises:
            InvalidRequest: the merged metadata is too large.
            Retained: retention would shrink.
        """
        name = before.original_name if self.original_name is None else self.original_name
        metadata = before.metadata
        if self.metadata is not None:
            metadata = merge_patch(before.metadata, self.metadata)
            check_metadata(metadata)
        until = before.retain_until if self.retain_until is None else self.retain_until
        if before.retain_until is not None and until is not None and until < before.retain_until:
            raise Retained("retain_until only grows.")
        hold = before.legal_hold if self.legal_hold is None else self.legal_hold
        return replace(
            before, original_name=name, metadata=metadata, legal_hold=hold, retain_until=until
        )


async def create(
    resources: Resources, access: TenantAccess, new: NewDocument, key: str | None = None
) -> Committed[Document]:
    """Make a document without content.

    Raises:
        IdempotencyMismatch, IdempotencyInProgress, QuotaExceeded, and what every tenant's write may
        raise.
    """
    check_metadata(new.metadata)
    caller = access.caller
    asked = [new.original_name, new.mime_type, new.metadata]
    once = key_for(caller.principal, key, "create_document", asked)

    async def effect(tenant: TenantWrite) -> Document:
        await tenant.room.take_documents(1)
        document = made(tenant, new, caller.principal.user_id)
        await documents.insert(tenant, document)
        await record(tenant, caller, event("document.create", None, document))
        return document

    if once is None:
        return await write(resources, access.client_id, effect)
    return await write_once(resources, access.client_id, once, _DOCUMENT, effect)


async def get(
    resources: Resources, access: TenantAccess, document_id: UUID, *, deleted: bool = False
) -> Document:
    """One document; a soft-deleted one only when asked for.

    Raises:
        NotFound.
    """

    async def work(tenant: TenantRead) -> Document | None:
        return await documents.get(tenant, document_id)

    document = await read(resources, access.client_id, work, access.reading)
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
    """Change name, metadata, and how long the document must be kept.

    Raises:
        NotFound, PreconditionFailed; InvalidRequest: the merged metadata is too large;
        Forbidden: only who may purge may say that nobody may; Retained: retention would shrink.
    """
    if patch.keeps and not access.caller.principal.may("document:purge", access.client_id):
        raise Forbidden("legal_hold and retain_until need the permission document:purge.")

    async def work(tenant: TenantWrite) -> Document:
        before = await lock_unchanged(tenant, document_id, precondition)
        after = patch.applied(before)
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
        before = await lock_unchanged(tenant, document_id, precondition)
        tenant.room.give_documents_back(1)
        return await _store(
            tenant, access, "document.delete", before, replace(before, deleted_at=tenant.now)
        )

    return await write(resources, access.client_id, work)


async def restore(
    resources: Resources, access: TenantAccess, document_id: UUID
) -> Committed[Document]:
    """Take back a soft delete.

    Raises:
        NotFound; Conflict: the document is not deleted; QuotaExceeded.
    """

    async def work(tenant: TenantWrite) -> Document:
        before = await documents.lock(tenant, document_id)
        if before is None:
            raise NotFound
        if before.deleted_at is None:
            raise Conflict("The document is not deleted, so there is nothing to restore.")
        await tenant.room.take_documents(1)
        return await _store(
            tenant, access, "document.restore", before, replace(before, deleted_at=None)
        )

    return await write(resources, access.client_id, work)


async def _store(
    tenant: TenantWrite, access: TenantAccess, action: str, before: Document, after: Document
) -> Document:
    stored = changed(tenant, after)
    await documents.update(tenant, stored)
    await record(tenant, access.caller, event(action, before, stored))
    return stored


__all__ = [
    "Document",
    "DocumentPatch",
    "NewDocument",
    "Precondition",
    "create",
    "delete",
    "get",
    "restore",
    "update",
]
