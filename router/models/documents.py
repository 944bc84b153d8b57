"""Documents, their versions and the audit log of a tenant."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue

from router.models import examples
from router.models.fields import (
    Given,
    HexDigest,
    Instant,
    Metadata,
    MimeType,
    OriginalName,
    PageQuery,
    SearchText,
    Shown,
)


class DocumentGiven(Given):
    """A new document; it has no content until some is put."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DOCUMENT_GIVEN]})

    original_name: OriginalName
    mime_type: MimeType
    metadata: Metadata = Field(default_factory=dict)


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class DocumentPatch(Given):
    """What changes; what is left out stays. `metadata` is a JSON Merge Patch: null removes."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DOCUMENT_PATCH]})

    original_name: OriginalName = Field(default="", json_schema_extra=_without_default)
    metadata: Metadata = Field(default_factory=dict)


class DocumentShown(Shown):
    """A document. `current_version` 0: it has no content yet."""

    id: UUID
    client_id: UUID
    original_name: str
    mime_type: str
    current_version: int
    size: int | None
    checksum_sha256: HexDigest | None
    metadata: dict[str, JsonValue]
    created_at: datetime
    created_by: UUID
    updated_at: datetime
    deleted_at: datetime | None


class DocumentPage(Shown):
    """A page of documents."""

    items: list[DocumentShown]
    next_cursor: str | None


class VersionShown(Shown):
    """One immutable version of a document's content."""

    id: UUID
    document_id: UUID
    version_number: int
    mime_type: str
    size: int
    checksum_sha256: HexDigest
    created_at: datetime
    created_by: UUID


class VersionPage(Shown):
    """A page of versions, newest first."""

    items: list[VersionShown]
    next_cursor: str | None


class Deleted(StrEnum):
    """Which documents: with the deleted ones too, or those alone."""

    INCLUDE = "include"
    ONLY = "only"


class DocumentSort(StrEnum):
    """The order of a list; `-` is descending. Names go by code point."""

    CREATED_AT = "created_at"
    NEWEST = "-created_at"
    ORIGINAL_NAME = "original_name"
    ORIGINAL_NAME_REVERSED = "-original_name"
    UPDATED_AT = "updated_at"
    LAST_UPDATED = "-updated_at"


class DocumentQuery(PageQuery):
    """Which documents to list, and in which order."""

    q: SearchText | None = Field(
        default=None,
        description="Documents whose names hold all these words, or resemble them: typing errors "
        "are forgiven. Best first, unless `sort` says otherwise.",
        examples=["quartely report"],
    )
    mime_type: MimeType | None = None
    metadata: str | None = Field(
        default=None,
        max_length=4096,
        description="A JSON object: documents whose metadata contain it.",
        examples=['{"project":"harbour"}'],
    )
    created_after: Instant | None = Field(default=None, description="Inclusive.")
    created_before: Instant | None = Field(default=None, description="Exclusive.")
    deleted: Deleted | None = None
    sort: DocumentSort | None = Field(
        default=None, description="Newest first when neither this nor `q` is given."
    )
