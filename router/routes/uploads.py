"""Uploads that go straight to the object store."""

from typing import Annotated, Any, Final

from fastapi import Path
from starlette.responses import Response

from router import headers
from router.answers import Answer
from router.api import Api, Doc
from router.call import Call
from router.models import examples, upload_examples
from router.models.documents import VersionShown
from router.models.fields import Id
from router.models.uploads import UploadGiven, UploadShown
from router.parameters import ClientId, DocumentId, IdempotencyKey
from router.routes.documents import DOCUMENT
from router.routes.replies import CONSISTENCY_TOKEN, LOCATION, UNAVAILABLE, committed, shown_upload
from router.security import Tenant
from services.tenant import uploads
from services.tenant.tickets import Intent
from services.tenant.versions import Version

api = Api("Content")

UPLOADS: Final = f"{DOCUMENT}/uploads"
UPLOAD: Final = f"{UPLOADS}/{{upload_id}}"

UploadId = Annotated[Id, Path(examples=[upload_examples.UPLOAD_ID])]

_IDEMPOTENT: Final = ("idempotency_mismatch", "idempotency_in_progress")


@api.route(
    "POST",
    UPLOADS,
    Tenant("document:write"),
    Doc(
        (
            Answer(
                201,
                "Where to send the bytes.",
                UploadShown,
                upload_examples.UPLOAD,
                headers=CONSISTENCY_TOKEN,
            ),
        ),
        refusals=(
            *UNAVAILABLE,
            *_IDEMPOTENT,
            "upload_ended",
            "storage_unavailable",
            "quota_exceeded",
        ),
    ),
)
async def create_upload(
    call: Call,
    client_id: ClientId,
    document_id: DocumentId,
    body: UploadGiven,
    idempotency_key: IdempotencyKey = None,
) -> dict[str, Any]:
    """Get presigned addresses to which the next version's bytes may be sent.

    The object store takes exactly the bytes that are announced. Send them, then complete the
    upload: only that makes the version, and gives it its number.
    """
    intent = Intent(body.size, body.checksum_sha256, body.mime_type)
    key = headers.idempotency_key(idempotency_key)
    outcome = await uploads.create(call.resources, call.tenant, document_id, intent, key)
    return shown_upload(committed(call, outcome))


@api.route(
    "POST",
    f"{UPLOAD}/complete",
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
            *(*UNAVAILABLE, "upload_incomplete", "upload_ended", "checksum_mismatch"),
            *("content_refused", "storage_unavailable"),
        ),
    ),
)
async def complete_upload(
    call: Call, client_id: ClientId, document_id: DocumentId, upload_id: UploadId
) -> Version:
    """Turn an upload into the document's next version.

    What the object store holds is checked against what was announced; after an upload in parts the
    whole is read for that, which takes some seconds for each GiB. Complete again as often as
    you like: it answers the same version.
    """
    outcome = await uploads.complete(call.resources, call.tenant, document_id, upload_id)
    version = committed(call, outcome)
    path = DOCUMENT.format(client_id=client_id, document_id=document_id)
    call.context.answer_with("Location", f"{path}/versions/{version.version_number}")
    return version


@api.route(
    "DELETE",
    UPLOAD,
    Tenant("document:write"),
    Doc(
        (Answer(204, "Given up.", headers=CONSISTENCY_TOKEN),),
        refusals=(*UNAVAILABLE, "conflict"),
    ),
)
async def abort_upload(
    call: Call, client_id: ClientId, document_id: DocumentId, upload_id: UploadId
) -> Response:
    """Give an upload up; what has arrived of it is removed."""
    outcome = await uploads.abort(call.resources, call.tenant, document_id, upload_id)
    committed(call, outcome)
    return Response(status_code=204)
