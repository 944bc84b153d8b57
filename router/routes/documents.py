"""Documents of a tenant."""

from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import Query
from starlette.responses import Response

from router import headers
from router.answers import Answer
from router.api import Api, Doc
from router.call import Call
from router.models import examples
from router.models.documents import (
    Deleted,
    DocumentPage,
    DocumentPatch,
    DocumentQuery,
    DocumentShown,
    DocumentWithContentGiven,
)
from router.models.uploads import DocumentMade
from router.parameters import ClientId, DocumentId, IdempotencyKey, IfMatch, IfNoneMatch
from router.routes.clients import containment
from router.routes.replies import (
    CONSISTENCY_TOKEN,
    ETAG,
    LINK,
    LOCATION,
    UNAVAILABLE,
    committed,
    etag,
    is_known,
    linked,
    precondition,
    shown_upload,
    stored_document,
)
from router.security import Tenant
from router.writing import Writer, told_document
from services.committed import Committed
from services.pages import PageRequest
from services.tenant import documents, purge, uploads
from services.tenant.document_lists import DocumentFilter, DocumentList
from services.tenant.document_lists import list_documents as list_page
from services.tenant.documents import Document, NewDocument
from services.tenant.tickets import Intent

api = Api("Documents")

DOCUMENTS: Final = "/v1/clients/{client_id}/documents"
DOCUMENT: Final = f"{DOCUMENTS}/{{document_id}}"

_ONE: Final = Answer(200, "The document.", DocumentShown, examples.DOCUMENT, headers=ETAG)
_CHANGED: Final = Answer(
    200, "As it is now.", DocumentShown, examples.DOCUMENT, headers=ETAG | CONSISTENCY_TOKEN
)
_KNOWN: Final = Answer(304, "The caller has it already.", headers=ETAG)
_STALE: Final = ("precondition_required", "precondition_failed")
_WRITER: Final = Writer(told_document)

DeletedToo = Annotated[
    Deleted | None, Query(description="`include` or `only`: a soft-deleted one is found, too.")
]


@api.route("GET", DOCUMENT, Tenant("document:read", of_deleted=True), Doc((_ONE, _KNOWN)))
async def get_document(
    call: Call,
    client_id: ClientId,
    document_id: DocumentId,
    deleted: DeletedToo = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Read a document.

    A soft-deleted one is not found unless asked for with `deleted`.
    """
    with_deleted = deleted is not None
    document = await documents.get(call.resources, call.tenant, document_id, deleted=with_deleted)
    call.context.answer_with("ETag", etag(document))
    if is_known(if_none_match, document):
        return Response(status_code=304)
    return _WRITER.one(document)


@api.route(
    "HEAD",
    DOCUMENT,
    Tenant("document:read", of_deleted=True),
    Doc((Answer(200, "It exists.", headers=ETAG), _KNOWN)),
)
async def head_document(
    call: Call,
    client_id: ClientId,
    document_id: DocumentId,
    deleted: DeletedToo = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Ask whether a document exists, and for its ETag."""
    found = await get_document(call, client_id, document_id, deleted, if_none_match)
    return Response(status_code=found.status_code)


@api.route(
    "GET",
    DOCUMENTS,
    Tenant("document:read"),
    Doc(
        (
            Answer(
                200,
                "Documents. A page may be short, or even empty, and yet have a next one.",
                DocumentPage,
                examples.page(examples.DOCUMENT),
                headers=LINK,
            ),
        ),
        refusals=("invalid_cursor",),
    ),
)
async def list_documents(
    call: Call, client_id: ClientId, query: Annotated[DocumentQuery, Query()]
) -> Response:
    """List or search documents.

    Filters narrow each other. A cursor belongs to its filters and its order.
    """
    wanted = DocumentFilter(
        deleted=query.deleted.value if query.deleted else "exclude",
        mime_type=query.mime_type,
        q=query.q,
        metadata=None if query.metadata is None else containment(query.metadata) or None,
        created_after=query.created_after,
        created_before=query.created_before,
    )
    asked = DocumentList(wanted, query.sort.value if query.sort else None)
    request = PageRequest(query.limit, query.cursor)
    page = await list_page(call.resources, call.tenant, asked, request)
    return _WRITER.page(linked(call, page))


@api.route(
    "POST",
    DOCUMENTS,
    Tenant("document:write"),
    Doc(
        (
            Answer(
                201,
                "Made, without content.",
                DocumentMade,
                examples.NEW_DOCUMENT,
                headers=ETAG | LOCATION | CONSISTENCY_TOKEN,
            ),
        ),
        refusals=(
            "quota_exceeded",
            *(*UNAVAILABLE, "idempotency_mismatch", "idempotency_in_progress"),
            *("upload_ended", "storage_unavailable"),
        ),
    ),
)
async def create_document(
    call: Call,
    client_id: ClientId,
    body: DocumentWithContentGiven,
    idempotency_key: IdempotencyKey = None,
) -> Document | dict[str, Any]:
    """Create a document; PUT its content next.

    With `size` and `checksum_sha256` the answer holds an upload of its first version.
    """
    new = NewDocument(body.original_name, body.mime_type, body.metadata)
    key = headers.idempotency_key(idempotency_key)
    if body.size is None or body.checksum_sha256 is None:
        outcome = await documents.create(call.resources, call.tenant, new, key)
        return _located(call, stored_document(call, outcome))
    intent = Intent(body.size, body.checksum_sha256)
    both = await uploads.create_document(call.resources, call.tenant, new, intent, key)
    document, granted = both.value
    _located(call, stored_document(call, Committed(document, both.consistency_token)))
    return {**asdict(document), "upload": shown_upload(granted)}


def _located(call: Call, document: Document) -> Document:
    path = DOCUMENT.format(client_id=document.client_id, document_id=document.id)
    call.context.answer_with("Location", path)
    return document


def patch_of(body: DocumentPatch) -> documents.DocumentPatch:
    """What a body asks to change: only what it holds."""
    given = body.model_fields_set
    return documents.DocumentPatch(
        original_name=body.original_name if "original_name" in given else None,
        metadata=body.metadata if "metadata" in given else None,
        legal_hold=body.legal_hold if "legal_hold" in given else None,
        retain_until=body.retain_until,
    )


@api.route(
    "PATCH",
    DOCUMENT,
    Tenant("document:write"),
    Doc((_CHANGED,), refusals=(*UNAVAILABLE, *_STALE, "retained")),
)
async def update_document(
    call: Call,
    client_id: ClientId,
    document_id: DocumentId,
    body: DocumentPatch,
    if_match: IfMatch = None,
) -> Document:
    """Change a document's name and metadata, and how long it must be kept.

    `metadata` is merged as RFC 7396 says: null removes a member.
    """
    outcome = await documents.update(
        call.resources, call.tenant, document_id, patch_of(body), precondition(if_match)
    )
    return stored_document(call, outcome)


@api.route(
    "DELETE",
    DOCUMENT,
    Tenant("document:delete"),
    Doc(
        (Answer(204, "Deleted softly.", headers=CONSISTENCY_TOKEN),),
        refusals=(*UNAVAILABLE, *_STALE),
    ),
)
async def delete_document(
    call: Call, client_id: ClientId, document_id: DocumentId, if_match: IfMatch = None
) -> Response:
    """Delete a document softly: it can be restored."""
    outcome = await documents.delete(
        call.resources, call.tenant, document_id, precondition(if_match)
    )
    committed(call, outcome)
    return Response(status_code=204)


@api.route(
    "POST",
    f"{DOCUMENT}/restore",
    Tenant("document:delete", of_deleted=True),
    Doc((_CHANGED,), refusals=(*UNAVAILABLE, "conflict", "quota_exceeded")),
)
async def restore_document(call: Call, client_id: ClientId, document_id: DocumentId) -> Document:
    """Undo a soft delete."""
    outcome = await documents.restore(call.resources, call.tenant, document_id)
    return stored_document(call, outcome)


@api.route(
    "POST",
    f"{DOCUMENT}/purge",
    Tenant("document:purge", of_deleted=True),
    Doc(
        (Answer(204, "Removed for good.", headers=CONSISTENCY_TOKEN),),
        refusals=(*UNAVAILABLE, "conflict", "retained"),
    ),
)
async def purge_document(call: Call, client_id: ClientId, document_id: DocumentId) -> Response:
    """Remove a deleted document and all its versions for good.

    Its content goes from the object store once no backup can bring the document back. A legal hold
    or a retention that has not ended refuses this for everybody.
    """
    committed(call, await purge.purge(call.resources, call.tenant, document_id))
    return Response(status_code=204)
