"""Content: uploads, versions, bytes."""

import base64
import hashlib
from uuid import UUID

from docshard_client.call import Call, json_as, nothing, raw
from docshard_client.model import Page
from docshard_client.models import Upload, Version
from docshard_client.operation import operation, paged
from docshard_client.parameters import documents_path, once, present, query

_PROVING = 600.0
"""Seconds: the service reads a large upload whole before it says that it is complete."""


class Content:
    """Bytes of a client's documents. For files there are upload_file and download_file."""

    @operation
    def put_content(
        self, client_id: UUID, document_id: UUID, content: bytes, mime_type: str
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

    @operation
    def get_content(
        self, client_id: UUID, document_id: UUID, *, proxy: bool = False
    ) -> Call[bytes]:
        """The newest bytes, all in memory: from the object store, or through the service."""
        path, params = f"{documents_path(client_id, document_id)}/content", _proxied(proxy)
        return Call("GET", path, raw, client_id, params=params)

    @operation
    def get_version_content(
        self, client_id: UUID, document_id: UUID, number: int, *, proxy: bool = False
    ) -> Call[bytes]:
        """The same for one version."""
        path = f"{version_path(client_id, document_id, number)}/content"
        return Call("GET", path, raw, client_id, params=_proxied(proxy))

    @paged
    def list_versions(
        self, client_id: UUID, document_id: UUID, *, limit: int = 200
    ) -> Call[Page[Version]]:
        """List a document's versions, newest first."""
        path, kind = f"{documents_path(client_id, document_id)}/versions", Page[Version]
        return Call("GET", path, json_as(kind), client_id, params=query(limit=limit))

    @operation
    def get_version(self, client_id: UUID, document_id: UUID, number: int) -> Call[Version]:
        """Read what is known of one version."""
        path = version_path(client_id, document_id, number)
        return Call("GET", path, json_as(Version), client_id)

    @operation
    def promote_version(
        self,
        client_id: UUID,
        document_id: UUID,
        number: int,
        etag: str,
        *,
        idempotency_key: str | None = None,
    ) -> Call[Version]:
        """Make an older version's content the newest, as a new version."""
        path = f"{version_path(client_id, document_id, number)}/promote"
        headers = {"If-Match": etag} | once(idempotency_key)
        return Call("POST", path, json_as(Version), client_id, headers=headers)

    @operation
    def create_upload(
        self,
        client_id: UUID,
        document_id: UUID,
        size: int,
        checksum_sha256: str,
        mime_type: str | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Call[Upload]:
        """Announce `size` bytes with this SHA-256 (hex). Send them, then complete_upload."""
        body = present(size=size, checksum_sha256=checksum_sha256, mime_type=mime_type)
        path, headers = uploads_path(client_id, document_id), once(idempotency_key)
        return Call("POST", path, json_as(Upload), client_id, body=body, headers=headers)

    @operation
    def complete_upload(self, client_id: UUID, document_id: UUID, upload_id: UUID) -> Call[Version]:
        """Make what was uploaded the next version. Done again, it answers the same version."""
        return completing(client_id, document_id, upload_id)

    @operation
    def abort_upload(self, client_id: UUID, document_id: UUID, upload_id: UUID) -> Call[None]:
        """Give an upload up; what has arrived is removed."""
        return aborting(client_id, document_id, upload_id)


def uploads_path(client_id: UUID, document_id: UUID) -> str:
    """The path of a document's uploads."""
    return f"{documents_path(client_id, document_id)}/uploads"


def version_path(client_id: UUID, document_id: UUID, number: int) -> str:
    """The path of one version."""
    return f"{documents_path(client_id, document_id)}/versions/{number}"


def completing(client_id: UUID, document_id: UUID, upload_id: UUID) -> Call[Version]:
    """The call of complete_upload."""
    path = f"{uploads_path(client_id, document_id)}/{upload_id}/complete"
    return Call("POST", path, json_as(Version), client_id, timeout=_PROVING)


def aborting(client_id: UUID, document_id: UUID, upload_id: UUID) -> Call[None]:
    """The call of abort_upload."""
    return Call("DELETE", f"{uploads_path(client_id, document_id)}/{upload_id}", nothing, client_id)


def _proxied(proxy: bool) -> dict[str, str]:
    return query(proxy=proxy or None)
