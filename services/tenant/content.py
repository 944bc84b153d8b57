"""Use cases on content: bytes come in and become a version, and go out again.

The order makes I8 hold: a row in `uploads`, then the blob, then one transaction that turns the row
into a version. Whatever breaks in between leaves a row that the sweep finds.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.access.admission import TenantAccess
from services.blobs.direct import HEAD_BYTES
from services.blobs.kind import detect
from services.blobs.reader import BlobReader, ByteRange
from services.blobs.upload import Expected
from services.committed import Committed, read, write
from services.errors import NoContent, NotFound, OutcomeUnknown, ServiceError, UploadEnded
from services.ids import new_id
from services.resources import Resources
from services.tenant import versions
from services.tenant.document_state import lock_living
from services.tenant.verification import Proof, WrongContent, refuse_disguise
from services.tenant.versions import NewContent, Version
from shards import uploads
from shards import versions as version_rows
from shards.documents import Document
from shards.tenants import TenantRead, TenantWrite
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


class Head:
    """Keeps how a stream begins while it passes."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.bytes = b""

    async def passed_on(self) -> AsyncIterator[bytes]:
        """The same chunks."""
        async for chunk in self._chunks:
            if len(self.bytes) < HEAD_BYTES:
                self.bytes += bytes(chunk[: HEAD_BYTES - len(self.bytes)])
            yield chunk


async def put(
    resources: Resources, access: TenantAccess, document_id: UUID, incoming: Incoming
) -> Committed[Version]:
    """Stream bytes to S3 and make them the document's next version.

    Raises:
        NotFound, ContentTooLarge, ChecksumMismatch, ContentRefused, StorageUnavailable;
        UploadEnded: it took longer than an upload may.
    """
    upload = await _begin(resources, access, document_id, incoming.mime_type)
    try:
        return await finish(resources, access, upload, await _stored(resources, upload, incoming))
    except OutcomeUnknown:
        # The version may exist: its blob stays, and the sweep decides by the row.
        raise
    except WrongContent as error:
        await give_up(resources, upload)
        raise error.refusal from error
    except BaseException:
        await give_up(resources, upload)
        raise


async def _stored(resources: Resources, upload: Upload, incoming: Incoming) -> Proof:
    head = Head(incoming.chunks)
    stored = await resources.blobs.put_stream(
        upload.s3_key,
        head.passed_on(),
        upload.mime_type,
        Expected(resources.settings.limits.max_content_bytes, incoming.sha256_hex),
    )
    detected = detect(head.bytes)
    refuse_disguise(upload.mime_type, detected)
    return Proof(stored.size, bytes.fromhex(stored.sha256_hex), detected)


async def outgoing(
    resources: Resources, access: TenantAccess, document_id: UUID, version_number: int | None
) -> Outgoing:
    """The content of a version, or of the newest one.

    Raises:
        NotFound; NoContent: the document has no version yet.
    """

    # One read, so one server: another replica might lack the version that this one calls newest.
    async def work(tenant: TenantRead) -> Outgoing:
        document = await versions.living(tenant, document_id)
        number = version_number or document.current_version
        if number == 0:
            raise NoContent
        version = await version_rows.get(tenant, document_id, number)
        if version is None:
            raise NotFound
        return Outgoing(version, document.original_name)

    return await read(resources, access.client_id, work, access.reading)


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


async def finish(
    resources: Resources, access: TenantAccess, upload: Upload, proof: Proof
) -> Committed[Version]:
    """Turn an upload whose blob is proven into the next version, once; again, answer that one.

    Equal to the newest content, the new version names that blob, and its own is removed.

    Raises:
        NotFound, UploadEnded.
    """

    async def work(tenant: TenantWrite) -> tuple[Version, bool]:
        document = await lock_living(tenant, upload.document_id)
        made = await version_rows.find_by_id(tenant, upload.id)
        if made is not None:
            return made, False
        spare = _holds(document, proof)
        # A spare blob keeps its row: abandoned, for the sweep.
        end = uploads.spare if spare else uploads.finish
        if not await end(tenant, upload.id):
            raise UploadEnded
        content = NewContent(
            version_id=upload.id,
            s3_key=document.s3_key if spare and document.s3_key else upload.s3_key,
            mime_type=upload.mime_type,
            size=proof.size,
            checksum_sha256=proof.sha256,
            detected_type=proof.detected_type,
        )
        return await versions.append(tenant, access, document, content), spare

    committed = await write(resources, access.client_id, work, repeatable=True)
    version, spare = committed.value
    if spare:
        await give_up(resources, upload)
    return Committed(version, committed.consistency_token)


async def remove_abandoned(resources: Resources, upload: Upload) -> bool:
    """Remove what an upload left behind; False when it became a version after all.

    Three steps, each repeatable: give the upload up, so that it cannot become a version any more;
    remove the blob; forget the row. The row of a presigned upload stays until its address has
    expired, since whoever holds that could still bring the blob back.
    """

    async def abandon(tenant: TenantWrite) -> bool:
        return await uploads.abandon(tenant, upload.id)

    async def forget(tenant: TenantWrite) -> None:
        await uploads.forget(tenant, upload.id)

    if not (await write(resources, upload.client_id, abandon)).value:
        return False
    await resources.blobs.discard(upload.s3_key)
    if upload.kind != "presigned" or upload.expires_at < datetime.now(UTC):
        await write(resources, upload.client_id, forget)
    return True


async def give_up(resources: Resources, upload: Upload) -> None:
    """As `remove_abandoned`; what cannot be done now is left to the sweep."""
    try:
        await remove_abandoned(resources, upload)
    except ServiceError as error:
        _log.info("upload %s is left to the sweep: %s", upload.id, error)


def key_of(client_id: UUID, document_id: UUID, upload_id: UUID) -> str:
    """The key of an upload's blob: made of ids, never of names, and never used twice."""
    return f"{client_id}/{document_id}/{upload_id}"


def _holds(document: Document, proof: Proof) -> bool:
    return (document.size, document.checksum_sha256) == (proof.size, proof.sha256)


async def _begin(
    resources: Resources, access: TenantAccess, document_id: UUID, mime_type: str | None
) -> Upload:
    async def work(tenant: TenantWrite) -> Upload:
        document = await lock_living(tenant, document_id)
        # How many come is not known yet; a tenant that is full need not send them.
        await tenant.room.check_bytes(1)
        upload_id = new_id()
        upload = Upload(
            client_id=access.client_id,
            id=upload_id,
            document_id=document_id,
            s3_key=key_of(access.client_id, document_id, upload_id),
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
