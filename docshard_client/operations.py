"""Every operation of the service as a function that makes a Call.

The names are the operationIds of the service's OpenAPI document. The two faces in `api.py` offer
each of them as a method; what a method takes and means stands here.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from pydantic import JsonValue

from docshard_client.call import Call, document, json_as, nothing, raw
from docshard_client.models import (
    ApiKey,
    AuditLog,
    BatchResults,
    Client,
    Document,
    Login,
    Page,
    Placement,
    Upload,
    Version,
)

Metadata = Mapping[str, JsonValue]


def login(email: str, password: str, totp: str | None = None) -> Call[Login]:
    """Log a person in; later calls of this object carry the access token."""
    body = _present(email=email, password=password, totp=totp)
    return Call("POST", "/v1/auth/login", json_as(Login), body=body)


def create_client(
    code: str, name: str, metadata: Metadata | None = None, *, idempotency_key: str | None = None
) -> Call[Client]:
    """Create a tenant. Conflict `code_taken` when a living one has the code."""
    body = _present(code=code, name=name, metadata=_plain(metadata))
    headers = _once(idempotency_key)
    return Call("POST", "/v1/clients", json_as(Client), body=body, headers=headers)


def get_client(client_id: UUID) -> Call[Client]:
    """Read a tenant."""
    return Call("GET", f"/v1/clients/{client_id}", json_as(Client))


def list_clients(
    *,
    code: str | None = None,
    status: str | None = None,
    metadata: Metadata | None = None,
    limit: int = 200,
) -> Call[Page[Client]]:
    """List tenants. `limit` is the size of a page; pages are fetched as they are needed."""
    params = _query(code=code, status=status, metadata=_compact(metadata), limit=limit)
    return Call("GET", "/v1/clients", json_as(Page[Client]), params=params)


def get_placement(client_id: UUID) -> Call[Placement]:
    """Where a tenant lives; for operators."""
    return Call("GET", f"/v1/clients/{client_id}/placement", json_as(Placement))


def create_api_key(
    client_id: UUID,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None = None,
    *,
    idempotency_key: str | None = None,
) -> Call[ApiKey]:
    """Make a key for machines. The secret is shown once, so a replay is a Conflict."""
    body = _present(name=name, scopes=list(scopes), expires_at=_instant(expires_at))
    path, headers = f"/v1/clients/{client_id}/api-keys", _once(idempotency_key)
    return Call("POST", path, json_as(ApiKey), body=body, headers=headers)


def create_document(
    client_id: UUID,
    original_name: str,
    mime_type: str,
    metadata: Metadata | None = None,
    *,
    idempotency_key: str | None = None,
) -> Call[Document]:
    """Create a document without content, version 0. put_content gives it the first version."""
    fields = _present(original_name=original_name, mime_type=mime_type, metadata=_plain(metadata))
    path, headers = _documents(client_id), _once(idempotency_key)
    return Call("POST", path, document, client_id, body=fields, headers=headers)


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
        f"{_documents(client_id, document_id)}/content",
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
    body = _present(size=size, checksum_sha256=checksum_sha256, mime_type=mime_type)
    path, headers = f"{_documents(client_id, document_id)}/uploads", _once(idempotency_key)
    return Call("POST", path, json_as(Upload), client_id, body=body, headers=headers)


def complete_upload(client_id: UUID, document_id: UUID, upload_id: UUID) -> Call[Version]:
    """Make what was uploaded the next version. Done again, it answers the same version."""
    path = f"{_documents(client_id, document_id)}/uploads/{upload_id}/complete"
    return Call("POST", path, json_as(Version), client_id)


def abort_upload(client_id: UUID, document_id: UUID, upload_id: UUID) -> Call[None]:
    """Give an upload up; what has arrived is removed."""
    path = f"{_documents(client_id, document_id)}/uploads/{upload_id}"
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
    path = f"{_documents(client_id, document_id)}/versions/{version_number}/promote"
    headers = {"If-Match": etag} | _once(idempotency_key)
    return Call("POST", path, json_as(Version), client_id, headers=headers)


def purge_document(client_id: UUID, document_id: UUID) -> Call[None]:
    """Remove a deleted document for good. NotFound may be its own doing, sent again."""
    path = f"{_documents(client_id, document_id)}/purge"
    return Call("POST", path, nothing, client_id)


def batch_documents(
    client_id: UUID,
    operations: Sequence[Mapping[str, JsonValue]],
    *,
    idempotency_key: str | None = None,
) -> Call[BatchResults]:
    """Do up to 100 operations, each by itself: look at every result.

    An operation is {"operation": "create" | "update" | "delete" | "restore", …} with what the call
    of that name takes; update and delete want "document_id" and "if_match".
    """
    body: dict[str, JsonValue] = {"operations": [dict(one) for one in operations]}
    path, headers = f"{_documents(client_id)}:batch", _once(idempotency_key)
    return Call("POST", path, json_as(BatchResults), client_id, body=body, headers=headers)


def get_content(client_id: UUID, document_id: UUID, *, proxy: bool = False) -> Call[bytes]:
    """The newest bytes, all in memory: from S3 by a short-lived address, or through the service."""
    params = _query(proxy="true" if proxy else None)
    path = f"{_documents(client_id, document_id)}/content"
    return Call("GET", path, raw, client_id, params=params)


def get_document(
    client_id: UUID, document_id: UUID, *, deleted: str | None = None
) -> Call[Document]:
    """Read a document; a deleted one only with `deleted="include"`."""
    path = _documents(client_id, document_id)
    return Call("GET", path, document, client_id, params=_query(deleted=deleted))


def update_document(
    client_id: UUID,
    document_id: UUID,
    etag: str,
    *,
    original_name: str | None = None,
    metadata: Metadata | None = None,
) -> Call[Document]:
    """Rename, or merge into the metadata (RFC 7396: null removes). PreconditionFailed if stale.

    After a broken connection it is sent again; PreconditionFailed may then be its own doing.
    """
    return Call(
        "PATCH",
        _documents(client_id, document_id),
        document,
        client_id,
        body=_present(original_name=original_name, metadata=_plain(metadata)),
        headers={"If-Match": etag},
    )


def delete_document(client_id: UUID, document_id: UUID, etag: str) -> Call[None]:
    """Delete softly. Sent again after a broken connection; NotFound may be its own doing."""
    path = _documents(client_id, document_id)
    return Call("DELETE", path, nothing, client_id, headers={"If-Match": etag})


def restore_document(client_id: UUID, document_id: UUID) -> Call[Document]:
    """Undo delete_document."""
    path = f"{_documents(client_id, document_id)}/restore"
    return Call("POST", path, document, client_id)


def list_documents(
    client_id: UUID,
    *,
    q: str | None = None,
    mime_type: str | None = None,
    metadata: Metadata | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    deleted: str | None = None,
    sort: str | None = None,
    limit: int = 200,
) -> Call[Page[Document]]:
    """List documents, or search them by name with `q`, best first and forgiving typing errors.

    `metadata` must be contained; `created_after` is inclusive, `created_before` exclusive;
    `deleted` is "include" or "only"; `sort` is created_at, original_name or updated_at, descending
    with a "-" before it. `limit` is the size of a page; pages are fetched as they are needed.
    """
    params = _query(
        q=q,
        mime_type=mime_type,
        metadata=_compact(metadata),
        created_after=_instant(created_after),
        created_before=_instant(created_before),
        deleted=deleted,
        sort=sort,
        limit=limit,
    )
    return Call("GET", _documents(client_id), json_as(Page[Document]), client_id, params=params)


def list_versions(client_id: UUID, document_id: UUID, *, limit: int = 200) -> Call[Page[Version]]:
    """List a document's versions."""
    path = f"{_documents(client_id, document_id)}/versions"
    return Call("GET", path, json_as(Page[Version]), client_id, params=_query(limit=limit))


def list_audit_logs(
    client_id: UUID,
    *,
    action: str | None = None,
    entity_id: UUID | None = None,
    limit: int = 200,
) -> Call[Page[AuditLog]]:
    """List what was done to a tenant's documents."""
    params = _query(action=action, entity_id=entity_id, limit=limit)
    path = f"/v1/clients/{client_id}/audit-logs"
    return Call("GET", path, json_as(Page[AuditLog]), client_id, params=params)


def _documents(client_id: UUID, document_id: UUID | None = None) -> str:
    path = f"/v1/clients/{client_id}/documents"
    return path if document_id is None else f"{path}/{document_id}"


def _once(idempotency_key: str | None) -> dict[str, str]:
    """Every creation carries a key, so that repeating it is always safe."""
    return {"Idempotency-Key": idempotency_key or str(uuid4())}


def _present(**fields: JsonValue) -> dict[str, JsonValue]:
    return {name: value for name, value in fields.items() if value is not None}


def _query(**params: object) -> dict[str, str]:
    return {name: str(value) for name, value in params.items() if value is not None}


def _plain(metadata: Metadata | None) -> JsonValue:
    return None if metadata is None else dict(metadata)


def _compact(metadata: Metadata | None) -> str | None:
    return None if metadata is None else json.dumps(dict(metadata), separators=(",", ":"))


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
