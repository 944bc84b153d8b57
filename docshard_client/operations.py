"""Every operation of the service as a function that makes a Call.

The names are the operationIds of the service's OpenAPI document. The two faces in `api.py` offer
each of them as a method; what a method takes and means stands here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue

from docshard_client.call import Call, document, json_as, nothing
from docshard_client.models import (
    ApiKey,
    AuditLog,
    BatchResults,
    Client,
    Document,
    Login,
    Page,
    Placement,
)
from docshard_client.parameters import (
    Metadata,
    compact,
    documents_path,
    instant,
    once,
    plain,
    present,
    query,
)


def login(email: str, password: str, totp: str | None = None) -> Call[Login]:
    """Log a person in; later calls of this object carry the access token."""
    body = present(email=email, password=password, totp=totp)
    return Call("POST", "/v1/auth/login", json_as(Login), body=body)


def create_client(
    code: str, name: str, metadata: Metadata | None = None, *, idempotency_key: str | None = None
) -> Call[Client]:
    """Create a tenant. Conflict `code_taken` when a living one has the code."""
    body = present(code=code, name=name, metadata=plain(metadata))
    headers = once(idempotency_key)
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
    params = query(code=code, status=status, metadata=compact(metadata), limit=limit)
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
    body = present(name=name, scopes=list(scopes), expires_at=instant(expires_at))
    path, headers = f"/v1/clients/{client_id}/api-keys", once(idempotency_key)
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
    fields = present(original_name=original_name, mime_type=mime_type, metadata=plain(metadata))
    path, headers = documents_path(client_id), once(idempotency_key)
    return Call("POST", path, document, client_id, body=fields, headers=headers)


def purge_document(client_id: UUID, document_id: UUID) -> Call[None]:
    """Remove a deleted document for good. NotFound may be its own doing, sent again."""
    path = f"{documents_path(client_id, document_id)}/purge"
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
    path, headers = f"{documents_path(client_id)}:batch", once(idempotency_key)
    return Call("POST", path, json_as(BatchResults), client_id, body=body, headers=headers)


def get_document(
    client_id: UUID, document_id: UUID, *, deleted: str | None = None
) -> Call[Document]:
    """Read a document; a deleted one only with `deleted="include"`."""
    path = documents_path(client_id, document_id)
    return Call("GET", path, document, client_id, params=query(deleted=deleted))


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
        documents_path(client_id, document_id),
        document,
        client_id,
        body=present(original_name=original_name, metadata=plain(metadata)),
        headers={"If-Match": etag},
    )


def delete_document(client_id: UUID, document_id: UUID, etag: str) -> Call[None]:
    """Delete softly. Sent again after a broken connection; NotFound may be its own doing."""
    path = documents_path(client_id, document_id)
    return Call("DELETE", path, nothing, client_id, headers={"If-Match": etag})


def restore_document(client_id: UUID, document_id: UUID) -> Call[Document]:
    """Undo delete_document."""
    path = f"{documents_path(client_id, document_id)}/restore"
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
    params = query(
        q=q,
        mime_type=mime_type,
        metadata=compact(metadata),
        created_after=instant(created_after),
        created_before=instant(created_before),
        deleted=deleted,
        sort=sort,
        limit=limit,
    )
    return Call("GET", documents_path(client_id), json_as(Page[Document]), client_id, params=params)


def list_audit_logs(
    client_id: UUID,
    *,
    action: str | None = None,
    entity_id: UUID | None = None,
    limit: int = 200,
) -> Call[Page[AuditLog]]:
    """List what was done to a tenant's documents."""
    params = query(action=action, entity_id=entity_id, limit=limit)
    path = f"/v1/clients/{client_id}/audit-logs"
    return Call("GET", path, json_as(Page[AuditLog]), client_id, params=params)
