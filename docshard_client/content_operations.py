"""The operations on content: uploads, versions, bytes. See `operations.py`."""

import base64
import hashlib
from uuid import UUID

from docshard_client.call import Call, json_as, nothing, raw
from docshard_client.models import Page, Upload, Version
from docshard_client.parameters import documents_path, once, present, query


def put_content(
    client_id: UUID, document_id: UUID, content: bytes, mime_type: str
) -> Call[Version]:
    """Store the bytes as the next version; the service checks their SHA-256.

    Not sent again when its outcome is unknown, since that could make two versions:
    ConnectionFailed, or Unavailable with code `outcome_unknown`. Look at list_versions then.
    """
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return Call(
        "PUT",
        f"{documents_path(client_id, document_id)}/content",
        json_as(Version),
        client_id,
        content=content,
        headers={"Content-Type": mime_type, "Repr-Digest": f"sha-256=:{digest}:"},
        repeatable=False,
    )


def create_upload(
    client_id: UUID,
    document_id: UUID,
    size: int,
    checksum_sha256: str,
    mime_type: str | None = None,
    *,
    idempotency_key: str | None = None,
) -> Call[Upload]:
    """Announce `size` bytes with this SHA-256 (hex). Send them as it says, then complete_upload."""
    body = present(size=size, checksum_sha256=checksum_sha256, mime_type=mime_type)
    path, headers = f"{documents_path(client_id, document_id)}/uploads", once(idempotency_key)
    return Call("POST", path, json_as(Upload), client_id, body=body, headers=headers)


def complete_upload(client_id: UUID, document_id: UUID, upload_id: UUID) -> Call[Version]:
    """Make what was uploaded the next version. Done again, it answers the same version."""
    path = f"{documents_path(client_id, document_id)}/uploads/{upload_id}/complete"
    return Call("POST", path, json_as(Version), client_id)


def abort_upload(client_id: UUID, document_id: UUID, upload_id: UUID) -> Call[None]:
    """Give an upload up; what has arrived is removed."""
    path = f"{documents_path(client_id, document_id)}/uploads/{upload_id}"
    return Call("DELETE", path, nothing, client_id)


def promote_version(
    client_id: UUID,
    document_id: UUID,
    version_number: int,
    etag: str,
    *,
    idempotency_key: str | None = None,
) -> Call[Version]:
    """Make an older version's content the newest, as a new version."""
    path = f"{documents_path(client_id, document_id)}/versions/{version_number}/promote"
    headers = {"If-Match": etag} | once(idempotency_key)
    return Call("POST", path, json_as(Version), client_id, headers=headers)


def get_content(client_id: UUID, document_id: UUID, *, proxy: bool = False) -> Call[bytes]:
    """The newest bytes, all in memory: from S3 by a short-lived address, or through the service."""
    params = query(proxy="true" if proxy else None)
    path = f"{documents_path(client_id, document_id)}/content"
    return Call("GET", path, raw, client_id, params=params)


def list_versions(client_id: UUID, document_id: UUID, *, limit: int = 200) -> Call[Page[Version]]:
    """List a document's versions."""
    path = f"{documents_path(client_id, document_id)}/versions"
    return Call("GET", path, json_as(Page[Version]), client_id, params=query(limit=limit))
