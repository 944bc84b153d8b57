"""Uploads that go straight to the object store, and batches of changes."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, WithJsonSchema

from router.models import upload_examples
from router.models.documents import DocumentGiven, DocumentPatch, DocumentShown
from router.models.fields import Given, Id, MimeType, Sha256Hex, Shown, Size

EntityTag = Annotated[str, Field(min_length=1, max_length=1000, description="As If-Match.")]


class UploadGiven(Given):
    """What will be uploaded; nothing else will be taken."""

    model_config = ConfigDict(json_schema_extra={"examples": [upload_examples.UPLOAD_GIVEN]})

    size: Size
    checksum_sha256: Sha256Hex
    mime_type: MimeType | None = Field(
        default=None, description="Left out: the document's own type."
    )


class RequestShown(Shown):
    """A request to make against the object store, with these headers and no others of its kind."""

    method: str
    url: str
    headers: dict[str, str]


class PartShown(RequestShown):
    """The request that uploads bytes `first` and following, `size` of them."""

    part_number: int
    first: int
    size: int


class UploadShown(Shown):
    """Either `upload`, for the whole, or `parts`, each to be sent by its own request."""

    upload_id: UUID
    expires_at: datetime
    upload: RequestShown | None
    parts: list[PartShown]


class DocumentMade(DocumentShown):
    """A new document; with `upload` when size and checksum were given."""

    upload: UploadShown | None = Field(default=None, exclude_if=lambda value: value is None)


class CreateGiven(DocumentGiven):
    """Make a document without content."""

    operation: Literal["create"]


class UpdateGiven(DocumentPatch):
    """Change a document."""

    operation: Literal["update"]
    document_id: Id
    if_match: EntityTag


class DeleteGiven(Given):
    """Delete a document softly."""

    operation: Literal["delete"]
    document_id: Id
    if_match: EntityTag


class RestoreGiven(Given):
    """Undo a soft delete."""

    operation: Literal["restore"]
    document_id: Id


OperationGiven = Annotated[
    CreateGiven | UpdateGiven | DeleteGiven | RestoreGiven, Field(discriminator="operation")
]


class BatchGiven(Given):
    """Up to a hundred changes; each is done or refused by itself."""

    model_config = ConfigDict(json_schema_extra={"examples": [upload_examples.BATCH_GIVEN]})

    operations: list[OperationGiven] = Field(min_length=1, max_length=100)


class ResultShown(Shown):
    """What one operation did: `document` with its `etag`, or `error`, a problem."""

    status: int
    etag: str | None
    document: DocumentShown | None
    error: Annotated[
        dict[str, Any] | None,
        WithJsonSchema({"anyOf": [{"$ref": "#/components/schemas/Problem"}, {"type": "null"}]}),
    ]


class BatchShown(Shown):
    """A result for each operation, in their order."""

    results: list[ResultShown]
