"""Use cases of purging: rows go at once, blobs when no backup can bring the rows back."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from services.access.admission import TenantAccess
from services.audit import Event, record
from services.committed import Committed, write
from services.errors import Conflict, NotFound, Retained
from services.resources import Resources
from services.tenant.document_state import image
from shards import documents, purges
from shards.documents import Document
from shards.purges import MustBeKept, PurgedBlob
from shards.tenants import TenantWrite


async def purge(resources: Resources, access: TenantAccess, document_id: UUID) -> Committed[None]:
    """Remove a soft-deleted document and all its versions for good.

    Its blobs stay in the object store for as long as a shard can be restored to a moment before
    this, and a margin longer: a restored document has its content.

    Raises:
        NotFound; Conflict: it is not deleted; Retained: on legal hold, or not old enough.
    """

    async def work(tenant: TenantWrite) -> None:
        document = await documents.lock(tenant, document_id)
        if document is None:
            raise NotFound
        _refuse_kept(tenant, document)
        try:
            await purges.purge(tenant, document_id, tenant.now + blobs_stay(resources))
        except MustBeKept as error:
            raise Retained from error
        await record(
            tenant,
            access.caller,
            Event("document.purge", "document", document_id, image(document), None),
        )

    return await write(resources, access.client_id, work)


def blobs_stay(resources: Resources) -> timedelta:
    """How long blobs outlive their document."""
    limits = resources.settings.limits
    return timedelta(days=limits.purge_after_days + limits.purge_margin_days)


async def remove_blob(resources: Resources, blob: PurgedBlob) -> None:
    """Remove a blob whose time has come, then its note. May be repeated."""

    async def forget(tenant: TenantWrite) -> None:
        await purges.forget(tenant, blob.s3_key)

    await resources.blobs.discard(blob.s3_key)
    await write(resources, blob.client_id, forget)


def _refuse_kept(tenant: TenantWrite, document: Document) -> None:
    if document.legal_hold:
        raise Retained("The document is on legal hold.")
    if document.retain_until is not None and document.retain_until > tenant.now:
        raise Retained(f"The document is retained until {document.retain_until:%Y-%m-%dT%H:%MZ}.")
    if document.deleted_at is None:
        raise Conflict("Delete the document first: only a deleted one can be purged.")
