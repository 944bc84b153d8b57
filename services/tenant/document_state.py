"""What a document's use cases share: how one is made, locked, changed and told of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from services.audit import Event
from services.errors import InvalidRequest, NotFound, PreconditionFailed
from services.ids import new_id
from services.tenant.merge_patch import size_of
from shards import documents
from shards.documents import Document
from shards.tenants import TenantWrite

MAX_METADATA_BYTES = 64 * 1024

Precondition = Callable[[Document], bool]
"""If-Match: whether the document is still what the caller saw."""


@dataclass(frozen=True, slots=True)
class NewDocument:
    """What a document is made of; its content comes later."""

    original_name: str
    mime_type: str
    metadata: dict[str, Any]


async def lock_living(tenant: TenantWrite, document_id: UUID) -> Document:
    """A living document, locked until the transaction ends.

    Raises:
        NotFound.
    """
    document = await documents.lock(tenant, document_id)
    if document is None or document.deleted_at is not None:
        raise NotFound
    return document


async def lock_unchanged(
    tenant: TenantWrite, document_id: UUID, precondition: Precondition
) -> Document:
    """A living document that is still what the caller saw, locked.

    Raises:
        NotFound, PreconditionFailed.
    """
    document = await lock_living(tenant, document_id)
    if not precondition(document):
        raise PreconditionFailed
    return document


def made(tenant: TenantWrite, new: NewDocument, user_id: UUID) -> Document:
    """A document without content."""
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
        "legal_hold": document.legal_hold,
        "retain_until": document.retain_until,
        "deleted_at": document.deleted_at,
    }


def event(action: str, before: Document | None, after: Document) -> Event:
    """The audit event of a change."""
    return Event(
        action, "document", after.id, None if before is None else image(before), image(after)
    )


def check_metadata(metadata: dict[str, Any]) -> None:
    """Refuse metadata that is too large.

    Raises:
        InvalidRequest.
    """
    if size_of(metadata) > MAX_METADATA_BYTES:
        message = f"must not take more than {MAX_METADATA_BYTES} bytes as JSON"
        raise InvalidRequest.at("/metadata", message)
