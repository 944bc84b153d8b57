"""Tickets of uploads: what is granted to a caller who sends bytes straight to S3."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.access.admission import TenantAccess
from services.blobs.direct import Announced, PresignedPart, PresignedRequest
from services.blobs.parts import plan_parts
from services.committed import write
from services.errors import ContentTooLarge, UploadEnded
from services.ids import new_id
from services.resources import Resources
from services.tenant import content
from shards import uploads
from shards.documents import Document
from shards.tenants import TenantWrite
from shards.uploads import Upload

# An upload may be completed a little after its addresses expired, and one that S3 took at the last
# moment may end later still: the sweep waits that long.
_GRACE = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Intent:
    """What a caller wants to upload. `mime_type` None: the document's own."""

    size: int
    sha256_hex: str
    mime_type: str | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """An upload as it was granted; kept for its Idempotency-Key.

    It holds no address: those are made anew each time it is shown.
    """

    upload_id: UUID
    document_id: UUID
    s3_key: str
    mime_type: str
    size: int
    sha256_hex: str
    in_parts: bool
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Granted:
    """A ticket with its addresses: one for the whole, or one for each part."""

    ticket: Ticket
    upload: PresignedRequest | None
    parts: tuple[PresignedPart, ...] = ()


async def grant(resources: Resources, access: TenantAccess, ticket: Ticket) -> Granted:
    """Make the addresses of an upload; for one in parts open it at S3, unless it is open.

    Raises:
        StorageUnavailable, UploadEnded.
    """
    direct, limits = resources.blobs.direct, resources.settings.limits
    # Shown again, an upload lives no longer.
    seconds = int((ticket.expires_at - datetime.now(UTC)).total_seconds())
    if seconds <= 0:
        raise UploadEnded
    if not ticket.in_parts:
        announced = Announced(ticket.size, bytes.fromhex(ticket.sha256_hex), ticket.mime_type)
        return Granted(ticket, direct.presign(ticket.s3_key, announced, seconds))
    s3_upload_id = await _opened(resources, access, ticket)
    plan = plan_parts(ticket.size, limits.part_bytes)
    parts = direct.presign_parts(ticket.s3_key, s3_upload_id, plan, seconds)
    return Granted(ticket, None, parts)


async def issue(
    resources: Resources,
    access: TenantAccess,
    tenant: TenantWrite,
    document: Document,
    intent: Intent,
) -> Ticket:
    """Record an upload of the document's next version, and say what its holder may do.

    Raises:
        NoRoom.
    """
    await tenant.room.check_bytes(intent.size)
    limits, upload_id = resources.settings.limits, new_id()
    expires_at = tenant.now + timedelta(hours=limits.upload_hours)
    ticket = Ticket(
        upload_id=upload_id,
        document_id=document.id,
        s3_key=content.key_of(tenant.client_id, document.id, upload_id),
        mime_type=intent.mime_type or document.mime_type,
        size=intent.size,
        sha256_hex=intent.sha256_hex,
        in_parts=intent.size > limits.multipart_bytes,
        expires_at=expires_at,
    )
    await uploads.insert(
        tenant,
        Upload(
            client_id=tenant.client_id,
            id=upload_id,
            document_id=document.id,
            s3_key=ticket.s3_key,
            s3_upload_id=None,
            kind="multipart" if ticket.in_parts else "presigned",
            mime_type=ticket.mime_type,
            size=ticket.size,
            checksum_sha256=bytes.fromhex(ticket.sha256_hex),
            created_at=tenant.now,
            created_by=access.caller.principal.user_id,
            expires_at=expires_at + _GRACE,
        ),
    )
    return ticket


def check_size(resources: Resources, intent: Intent) -> None:
    """Refuse what is too long before it is sent.

    Raises:
        ContentTooLarge.
    """
    most = resources.settings.limits.max_content_bytes
    if intent.size > most:
        raise ContentTooLarge(f"The content is longer than {most} bytes.")


async def _opened(resources: Resources, access: TenantAccess, ticket: Ticket) -> str:
    """S3's id of an upload in parts.

    Of two callers who open it at once, one's id counts: what the other opened stays empty, and is
    removed with the upload.
    """

    async def look(tenant: TenantWrite) -> Upload | None:
        return await uploads.find(tenant, ticket.upload_id)

    upload = (await write(resources, access.client_id, look)).value
    if upload is not None and upload.s3_upload_id is None:
        direct = resources.blobs.direct
        s3_upload_id = await direct.begin_parts(ticket.s3_key, ticket.mime_type)

        async def note(tenant: TenantWrite) -> Upload | None:
            await uploads.opened(tenant, ticket.upload_id, s3_upload_id)
            return await uploads.find(tenant, ticket.upload_id)

        upload = (await write(resources, access.client_id, note)).value
    if upload is None or upload.abandoned_at is not None or upload.s3_upload_id is None:
        raise UploadEnded
    return upload.s3_upload_id
