"""Documents: what they are called and say of themselves. Their bytes are in `content.py`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue

from docshard_client.call import Call, document, etag, json_as, nothing, with_etag
from docshard_client.model import Page
from docshard_client.models import BatchResults, Document, NewDocument
from docshard_client.operation import operation, paged
from docshard_client.parameters import (
    Deleted,
    Metadata,
    Sort,
    compact,
    documents_path,
    instant,
    once,
    plain,
    present,
    query,
)


class Documents:
    """A client's documents."""

    @operation
    def create_document(
        self,
        client_id: UUID,
        original_name: str,
        mime_type: str,
        metadata: Metadata | None = None,
        *,
        size: int | None = None,
        checksum_sha256: str | None = None,
        idempotency_key: str | None = None,
    ) -> Call[NewDocument]:
        """Create a document without content, version 0. put_content gives it the first version.

        With `size` and `checksum_sha256` (hex) an upload begins, too, as by create_upload. For a
        file there is upload_file, which does all of it.
        """
        body = present(
            original_name=original_name,
            mime_type=mime_type,
            metadata=plain(metadata),
            size=size,
            checksum_sha256=checksum_sha256,
        )
        path, headers = documents_path(client_id), once(idempotency_key)
        return Call("POST", path, with_etag(NewDocument), client_id, body=body, headers=headers)

    @operation
    def get_document(
        self, client_id: UUID, document_id: UUID, *, deleted: Deleted | None = None
    ) -> Call[Document]:
        """Read a document; a deleted one only with `deleted="include"`."""
        path = documents_path(client_id, document_id)
        return Call("GET", path, document, client_id, params=query(deleted=deleted))

    @operation
    def head_document(
        self, client_id: UUID, document_id: UUID, *, deleted: Deleted | None = None
    ) -> Call[str]:
        """Read a document's present ETag alone."""
        path = documents_path(client_id, document_id)
        return Call("HEAD", path, etag, client_id, params=query(deleted=deleted))

    @operation
    def update_document(
        self,
        client_id: UUID,
        document_id: UUID,
        etag: str,
        *,
        original_name: str | None = None,
        metadata: Metadata | None = None,
        legal_hold: bool | None = None,
        retain_until: datetime | None = None,
    ) -> Call[Document]:
        """Change a document; `metadata` is merged (RFC 7396: null removes).

        `legal_hold` and `retain_until`, which only grows, forbid to purge it. PreconditionFailed
        when it has changed since `etag` was read; after a broken connection the call is sent again,
        so that may then be its own doing.
        """
        body = present(
            original_name=original_name,
            metadata=plain(metadata),
            legal_hold=legal_hold,
            retain_until=instant(retain_until),
        )
        path, headers = documents_path(client_id, document_id), {"If-Match": etag}
        return Call("PATCH", path, document, client_id, body=body, headers=headers)

    @operation
    def delete_document(self, client_id: UUID, document_id: UUID, etag: str) -> Call[None]:
        """Delete softly. Sent again after a broken connection; NotFound may be its own doing."""
        path = documents_path(client_id, document_id)
        return Call("DELETE", path, nothing, client_id, headers={"If-Match": etag})

    @operation
    def restore_document(self, client_id: UUID, document_id: UUID) -> Call[Document]:
        """Undo delete_document."""
        path = f"{documents_path(client_id, document_id)}/restore"
        return Call("POST", path, document, client_id)

    @operation
    def purge_document(self, client_id: UUID, document_id: UUID) -> Call[None]:
        """Remove a deleted document for good. NotFound may be its own doing, sent again."""
        path = f"{documents_path(client_id, document_id)}/purge"
        return Call("POST", path, nothing, client_id)

    @paged
    def list_documents(
        self,
        client_id: UUID,
        *,
        q: str | None = None,
        mime_type: str | None = None,
        metadata: Metadata | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        deleted: Deleted | None = None,
        sort: Sort | None = None,
        limit: int = 200,
    ) -> Call[Page[Document]]:
        """List documents, or search them by name with `q`, best first and forgiving typing errors.

        `metadata` must be contained; `created_after` is inclusive, `created_before` exclusive.
        `limit` is the size of a page; pages are fetched as they are needed.
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
        path, kind = documents_path(client_id), Page[Document]
        return Call("GET", path, json_as(kind), client_id, params=params)

    @operation
    def batch_documents(
        self,
        client_id: UUID,
        operations: Sequence[Mapping[str, JsonValue]],
        *,
        idempotency_key: str | None = None,
    ) -> Call[BatchResults]:
        """Do up to 100 operations, each by itself: look at every result.

        An operation is {"operation": "create" | "update" | "delete" | "restore", …} with what the
        call of that name takes; update and delete want "document_id" and "if_match".
        """
        body: dict[str, JsonValue] = {"operations": [dict(one) for one in operations]}
        path, headers = f"{documents_path(client_id)}:batch", once(idempotency_key)
        return Call("POST", path, json_as(BatchResults), client_id, body=body, headers=headers)
