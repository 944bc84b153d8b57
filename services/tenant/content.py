"""Use cases on content: bytes come in and become a version, and go out again.

The order makes I8 hold: a row in `uploads`, then the blob, then one transaction that turns the row
into a version. Whatever breaks in between leaves a row that the sweep finds.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.access.admission import TenantAccess
from services.blobs.reader import BlobReader, ByteRange
from services.blobs.upload import Expected
from services.committed import Committed, write
from services.errors import Conflict, NoContent, OutcomeUnknown, ServiceError
from services.ids import new_id
from services.resources import Resources
from services.tenant import documents, versions
from services.tenant.versions import NewContent, Version
from shards import uploads
from shards.tenants import TenantWrite
from shards.uploads import Upload

_log = logging.getLogger(__name__)
_UPLOAD_LIFE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Incoming:
    """Bytes on their way in. `mime_type` None keeps the document's own; `sha256_hex` is what the
    caller says the digest will be."""

    chunks: AsyncIterator[bytes]
    mime_type: str | None = None
    sha256_hex: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A version's content and what to tell about it."""

    version: Version
    filename: str


async def put(
    resources: Resources, access: TenantAccess, document_id: UUID, incoming: Incoming
) -> Committed[Version]:
    """Stream bytes to S3 and make them the document's next version.

    Raises:
        NotFound, ContentTooLarge, ChecksumMismatch, StorageUnavailable; Conflict: it took longer
        than an upload may.
    """
    upload = await _begin(resources, access, document_id, incoming.mime_type)
    try:
        stored = await resources.blobs.put_stream(
            upload.s3_key,
            incoming.chunks,
            upload.mime_type,
            Expected(resources.settings.limits.max_content_bytes, incoming.sha256_hex),
        )
        content = NewContent(
            upload.s3_key, upload.mime_type, stored.size, bytes.fromhex(stored.sha256_hex)
        )
        return await _finish(resources, access, upload, content)
    except OutcomeUnknown:
        # The version may exist: its blob stays, and the sweep decides by the row.
        raise
    except BaseException:
        await _give_up(resources, upload)
        raise


async def outgoing(
    resources: Resources, access: TenantAccess, document_id: UUID, version_number: int | None
) -> Outgoing:
    """The content of a version, or of the newest one.

    Raises:
        NotFound; NoContent: the document has no version yet.
    """
    document = await documents.get(resources, access, document_id)
    if version_number is None and document.current_version == 0:
        raise NoContent
    version = await versions.get(
        resources, access, document_id, version_number or document.current_version
    )
    return Outgoing(version, document.original_name)


def presigned_url(resources: Resources, content: Outgoing) -> str:
    """A short-lived address at which S3 itself gives the bytes, as an attachment."""
    return resources.blobs.presigned_get(
        content.version.s3_key,
        content.filename,
        content.version.mime_type,
        resources.settings.limits.presigned_seconds,
    )


async def open_stream(
    resources: Resources, content: Outgoing, byte_range: ByteRange | None = None
) -> BlobReader:
    """The bytes themselves; the reader has to be closed.

    Raises:
        StorageUnavailable.
    """
    return await resources.blobs.open_stream(content.version.s3_key, byte_range)


async def remove_abandoned(resources: Resources, upload: Upload) -> bool:
    """Remove what an upload left behind; False when it became a version after all.

    Three steps, each repeatable: give the upload up, so that it cannot become a version any more;
    remove the blob; forget the row.
    """

    async def abandon(tenant: TenantWrite) -> bool:
        return await uploads.abandon(tenant, upload.id)

    async def forget(tenant: TenantWrite) -> None:
        await uploads.forget(tenant, upload.id)

    if not (await write(resources, upload.client_id, abandon)).value:
        return False
    await resources.blobs.discard(upload.s3_key)
    await write(resources, upload.client_id, forget)
    return True


async def _begin(
    resources: Resources, access: TenantAccess, document_id: UUID, mime_type: str | None
) -> Upload:
    async def work(tenant: TenantWrite) -> Upload:
        document = await documents.lock_living(tenant, document_id)
        upload_id = new_id()
        upload = Upload(
            client_id=access.client_id,
            id=upload_id,
            document_id=document_id,
            s3_key=f"{access.client_id}/{document_id}/{upload_id}",
            s3_upload_id=None,
            kind="stream",
            mime_type=mime_type or document.mime_type,
            size=None,
            checksum_sha256=None,
            created_at=tenant.now,
            created_by=access.caller.principal.user_id,
            expires_at=tenant.now + _UPLOAD_LIFE,
        )
        await uploads.insert(tenant, upload)
        return upload

    return (await write(resources, access.client_id, work)).value


async def _finish(
    resources: Resources, access: TenantAccess, upload: Upload, content: NewContent
) -> Committed[Version]:
    async def work(tenant: TenantWrite) -> Version:
        document = await documents.lock_living(tenant, upload.document_id)
        if not await uploads.finish(tenant, upload.id):
            raise Conflict("The upload took too long and was given up: send the content again.")
        return await versions.append(tenant, access, document, content)

    return await write(resources, access.client_id, work)


async def _give_up(resources: Resources, upload: Upload) -> None:
    try:
        await remove_abandoned(resources, upload)
    except ServiceError as error:
        _log.info("upload %s is left to the sweep: %s", upload.id, error)
