"""Content of documents: bytes in, bytes out."""

from typing import Annotated, Any, Final

from fastapi import Header, Query
from starlette.responses import Response

from router import headers
from router.answers import Answer, header
from router.api import Api, Doc
from router.call import Call
from router.downloads import Download, etag, headers_of
from router.models import examples
from router.models.documents import VersionPage, VersionShown
from router.models.fields import Flag, PageQuery
from router.parameters import ClientId, DocumentId, IdempotencyKey, IfMatch, Number
from router.routes.documents import DOCUMENT
from router.routes.replies import (
    CONSISTENCY_TOKEN,
    LINK,
    LOCATION,
    UNAVAILABLE,
    committed,
    linked,
    precondition,
)
from router.security import Tenant
from services.pages import Page, PageRequest
from services.tenant import content, versions
from services.tenant.content import Incoming, Outgoing
from services.tenant.versions import Version

api = Api("Content")

VERSIONS: Final = f"{DOCUMENT}/versions"
VERSION: Final = f"{VERSIONS}/{{number}}"

Proxy = Annotated[
    Flag, Query(description="`true`: stream through this address instead of redirecting to S3.")
]
RangeHeader = Annotated[
    str | None,
    Header(
        alias="Range", description="One range, with `proxy=true` only.", examples=["bytes=0-1023"]
    ),
]
IfRange = Annotated[
    str | None,
    Header(alias="If-Range", description="The ETag of a part: when stale, the whole is sent."),
]
Digest = Annotated[
    str | None,
    Header(
        alias="Repr-Digest",
        description="SHA-256 of the bytes (RFC 9530): refused when they differ.",
        examples=["sha-256=:LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=:"],
    ),
]

_BYTES: Final = ("application/octet-stream", "*/*")
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "description": "The bytes; any media type.",
        "required": True,
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary"},
                "example": "foo",
            }
        },
    }
}
_DOWNLOAD_HEADERS: Final = {
    "Content-Disposition": header("Always an attachment.", 'attachment; filename="contract.pdf"'),
    "ETag": header("Of these bytes.", f'"{examples.SHA256}"'),
    "Repr-Digest": header("SHA-256 of the whole.", "sha-256=:…:"),
}
_DOWNLOAD: Final = Doc(
    (
        Answer(200, "The bytes.", headers=_DOWNLOAD_HEADERS, media_types=_BYTES),
        Answer(
            206,
            "The range that was asked for.",
            headers=_DOWNLOAD_HEADERS | {"Content-Range": header("Which part.", "bytes 0-1/3")},
            media_types=_BYTES,
        ),
        Answer(
            307,
            "Where S3 gives the bytes, for a minute.",
            headers={"Location": header("A presigned address.", "https://…")},
        ),
    ),
    refusals=("no_content", "range_not_satisfiable", "storage_unavailable"),
)


@api.route("GET", f"{DOCUMENT}/content", Tenant("document:read"), _DOWNLOAD)
async def get_content(
    call: Call,
    client_id: ClientId,
    document_id: DocumentId,
    *,
    proxy: Proxy = False,
    range_: RangeHeader = None,
    if_range: IfRange = None,
) -> Response:
    """Download the newest version's bytes."""
    found = await content.outgoing(call.resources, call.tenant, document_id, None)
    return await _give(call, found, proxy)


@api.route("GET", f"{VERSION}/content", Tenant("document:read"), _DOWNLOAD)
async def get_version_content(
    call: Call,
    client_id: ClientId,
    document_id: DocumentId,
    number: Number,
    *,
    proxy: Proxy = False,
    range_: RangeHeader = None,
    if_range: IfRange = None,
) -> Response:
    """Download one version's bytes."""
    found = await content.outgoing(call.resources, call.tenant, document_id, number)
    return await _give(call, found, proxy)


async def _give(call: Call, found: Outgoing, proxy: bool) -> Response:
    if not proxy:
        url = content.presigned_url(call.resources, found)
        call.edge.reads.note(call.tenant, found, "address")
        return Response(status_code=307, headers={"Location": url})
    wanted = headers.byte_range(_range(call, found), found.version.size)
    reader = await content.open_stream(call.resources, found, wanted)
    call.edge.reads.note(call.tenant, found, "stream")
    shown, extent = headers_of(found), reader.extent
    if wanted is not None:
        shown["Content-Range"] = f"bytes {extent.first}-{extent.last}/{extent.total}"
    patience = call.edge.send_patience_seconds
    return Download(reader, shown, 200 if wanted is None else 206, patience)


def _range(call: Call, found: Outgoing) -> str | None:
    """The Range that counts: none when If-Range names other bytes."""
    if_range = call.headers.get("if-range")
    return call.headers.get("range") if if_range in {None, etag(found)} else None


@api.route(
    "PUT",
    f"{DOCUMENT}/content",
    Tenant("document:write"),
    Doc(
        (
            Answer(
                201,
                "The new version.",
                VersionShown,
                examples.VERSION,
                headers=LOCATION | CONSISTENCY_TOKEN,
            ),
        ),
        refusals=(
            "quota_exceeded",
            *(*UNAVAILABLE, "checksum_mismatch", "content_refused", "storage_unavailable"),
            *("upload_ended", "request_timeout", "content_too_large", "unsupported_media_type"),
        ),
        extra=_BODY,
    ),
)
async def put_content(
    call: Call,
    client_id: ClientId,
    document_id: DocumentId,
    digest: Digest = None,
) -> Version:
    """Store bytes as the document's next version.

    Its media type is the request's Content-Type; left out, the document's own.
    """
    call.refuse_early()
    sha256 = headers.sha256_of_digest(digest)
    incoming = Incoming(
        call.stream(),
        headers.media_type(call.headers.get("content-type")),
        None if sha256 is None else sha256.hex(),
    )
    outcome = await content.put(call.resources, call.tenant, document_id, incoming)
    return _located(call, committed(call, outcome))


@api.route(
    "GET",
    VERSIONS,
    Tenant("document:read"),
    Doc(
        (
            Answer(
                200,
                "Versions, newest first.",
                VersionPage,
                examples.page(examples.VERSION),
                headers=LINK,
            ),
        ),
        refusals=("invalid_cursor",),
    ),
)
async def list_versions(
    call: Call, client_id: ClientId, document_id: DocumentId, query: Annotated[PageQuery, Query()]
) -> Page[Version]:
    """List a document's versions, newest first."""
    request = PageRequest(query.limit, query.cursor)
    page = await versions.list_newest(call.resources, call.tenant, document_id, request)
    return linked(call, page)


@api.route(
    "GET",
    VERSION,
    Tenant("document:read"),
    Doc((Answer(200, "The version.", VersionShown, examples.VERSION),)),
)
async def get_version(
    call: Call, client_id: ClientId, document_id: DocumentId, number: Number
) -> Version:
    """Read what is known of one version."""
    return await versions.get(call.resources, call.tenant, document_id, number)


@api.route(
    "POST",
    f"{VERSION}/promote",
    Tenant("document:write"),
    Doc(
        (
            Answer(
                201,
                "The new version, with the old one's content.",
                VersionShown,
                examples.VERSION,
                headers=LOCATION | CONSISTENCY_TOKEN,
            ),
        ),
        refusals=(
            "quota_exceeded",
            *(*UNAVAILABLE, "precondition_required", "precondition_failed"),
            *("idempotency_mismatch", "idempotency_in_progress"),
        ),
    ),
)
async def promote_version(
    call: Call,
    client_id: ClientId,
    document_id: DocumentId,
    number: Number,
    *,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Version:
    """Make an older version's content the newest: a new version, the old one stays."""
    key = headers.idempotency_key(idempotency_key)
    demanded = precondition(if_match)
    outcome = await versions.promote(
        call.resources, call.tenant, (document_id, number), demanded, key
    )
    return _located(call, committed(call, outcome))


def _located(call: Call, version: Version) -> Version:
    path = VERSIONS.format(client_id=version.client_id, document_id=version.document_id)
    call.context.answer_with("Location", f"{path}/{version.version_number}")
    return version
