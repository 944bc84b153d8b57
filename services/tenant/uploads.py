"""Use cases on uploads that go straight to S3: intent, then completion or abortion.

The order is that of `content`: a row in `uploads` first, then bytes, then one transaction that
turns the row into a version. The version takes the upload's id, so that completing again finds it
and two completions cannot make two versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pydantic import TypeAdapter

from services.access.admission import TenantAccess
from services.audit import record
from services.committed import Committed, write
from services.errors import (
    Conflict,
    NotFound,
    StorageUnavailable,
    UploadEnded,
    UploadIncomplete,
)
from services.idempotency import key_for, once_in_tenant
from services.resources import Resources
from services.tenant import content, verification
from services.tenant.document_state import (
    NewDocument,
    check_metadata,
    event,
    lock_living,
    made,
)
from services.tenant.tickets import Granted, Intent, Ticket, check_size, grant, issue
from services.tenant.versions import Version
from shards import documents, uploads, versions
from shards.documents import Document
from shards.tenants import TenantWrite
from shards.uploads import Upload


@dataclass(frozen=True, slots=True)
class NewWithUpload:
    """A document made together with the upload of its first version."""

    document: Document
    ticket: Ticket


_TICKET: TypeAdapter[Ticket] = TypeAdapter(Ticket)
_NEW: TypeAdapter[NewWithUpload] = TypeAdapter(NewWithUpload)


async def create(
    resources: Resources,
    access: TenantAccess,
    document_id: UUID,
    intent: Intent,
    key: str | None = None,
) -> Committed[Granted]:
    """Grant an upload of the document's next version.

    Raises:
        NotFound, ContentTooLarge, IdempotencyMismatch, IdempotencyInProgress;
        StorageUnavailable: for an upload in parts S3 is asked; UploadEnded: the key's upload has.
    """
    check_size(resources, intent)
    asked = [str(document_id), intent.size, intent.sha256_hex, intent.mime_type]
    once = key_for(access.caller.principal, key, "create_upload", asked)

    async def work(tenant: TenantWrite) -> Ticket:
        async def effect() -> Ticket:
            document = await lock_living(tenant, document_id)
            return await issue(resources, access, tenant, document, intent)

        return await once_in_tenant(tenant, once, _TICKET, effect)

    recorded = await write(resources, access.client_id, work, repeatable=once is not None)
    granted = await grant(resources, access, recorded.value)
    return Committed(granted, recorded.consistency_token)


async def create_document(
    resources: Resources,
    access: TenantAccess,
    new: NewDocument,
    intent: Intent,
    key: str | None = None,
) -> Committed[tuple[Document, Granted]]:
    """Make a document and grant the upload of its first version, in one transaction.

    Raises:
        As `create` and `documents.create`.
    """
    check_size(resources, intent)
    check_metadata(new.metadata)
    caller = access.caller
    asked = [new.original_name, new.mime_type, new.metadata, intent.size, intent.sha256_hex]
    once = key_for(caller.principal, key, "create_document", asked)

    async def work(tenant: TenantWrite) -> NewWithUpload:
        async def effect() -> NewWithUpload:
            await tenant.room.take_documents(1)
            document = made(tenant, new, caller.principal.user_id)
            await documents.insert(tenant, document)
            await record(tenant, caller, event("document.create", None, document))
            ticket = await issue(resources, access, tenant, document, intent)
            return NewWithUpload(document, ticket)

        return await once_in_tenant(tenant, once, _NEW, effect)

    recorded = await write(resources, access.client_id, work, repeatable=once is not None)
    granted = await grant(resources, access, recorded.value.ticket)
    return Committed((recorded.value.document, granted), recorded.consistency_token)


async def complete(
    resources: Resources, access: TenantAccess, document_id: UUID, upload_id: UUID
) -> Committed[Version]:
    """Check what S3 really holds and make it the document's next version.

    Done once, or at once in several processes, it answers the same version to all.

    Raises:
        NotFound, UploadEnded, UploadIncomplete, ChecksumMismatch, ContentRefused,
        StorageUnavailable.
    """
    state = await _state(resources, access, document_id, upload_id)
    if isinstance(state.value, Version):
        return Committed(state.value, state.consistency_token)
    upload = state.value
    try:
        proof = await verification.verify(resources, upload)
    except (UploadIncomplete, StorageUnavailable):
        # Another process may have been faster. Where the content equals the newest, the blob goes
        # right after the commit that makes the version: so what is gone from S3 is in the shard.
        state = await _state(resources, access, document_id, upload_id)
        if isinstance(state.value, Version):
            return Committed(state.value, state.consistency_token)
        raise
    except verification.WrongContent as error:
        await content.give_up(resources, upload)
        raise error.refusal from error
    return await content.finish(resources, access, upload, proof)


async def abort(
    resources: Resources, access: TenantAccess, document_id: UUID, upload_id: UUID
) -> Committed[None]:
    """Give an upload up; what has arrived of it is removed, now or by the sweep.

    Raises:
        NotFound; Conflict: it has become a version.
    """

    async def work(tenant: TenantWrite) -> Upload:
        found = await _found(tenant, document_id, upload_id)
        if isinstance(found, Version):
            raise Conflict("The upload is complete: it has become a version.")
        await uploads.abandon(tenant, upload_id)
        return found

    abandoned = await write(resources, access.client_id, work)
    await content.give_up(resources, abandoned.value)
    return Committed(None, abandoned.consistency_token)


async def _state(
    resources: Resources, access: TenantAccess, document_id: UUID, upload_id: UUID
) -> Committed[Upload | Version]:
    async def work(tenant: TenantWrite) -> Upload | Version:
        await lock_living(tenant, document_id)
        found = await _found(tenant, document_id, upload_id)
        if isinstance(found, Upload) and found.abandoned_at is not None:
            raise UploadEnded
        return found

    return await write(resources, access.client_id, work)


async def _found(tenant: TenantWrite, document_id: UUID, upload_id: UUID) -> Upload | Version:
    """The version that the upload became, or the upload.

    Raises:
        NotFound.
    """
    version = await versions.find_by_id(tenant, upload_id)
    found = version or await uploads.find(tenant, upload_id)
    if found is None or found.document_id != document_id:
        raise NotFound("There is no such upload.")
    return found
