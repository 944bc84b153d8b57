"""Documents, their versions and the audit log of a tenant."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

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
    Sha256Hex,
    Shown,
    Size,
    StoredJson,
)


class DocumentGiven(Given):
    """A new document; it has no content until some is put."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DOCUMENT_GIVEN]})

    original_name: OriginalName
    mime_type: MimeType
    metadata: Metadata = Field(default_factory=dict)


class DocumentWithContentGiven(DocumentGiven):
    """A new document; `size` and `checksum_sha256`, given together, begin an upload too."""

    size: Size | None = None
    checksum_sha256: Sha256Hex | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.size is None) != (self.checksum_sha256 is None):
            raise ValueError("size and checksum_sha256 belong together")
        return self


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class DocumentPatch(Given):
    """What changes; what is left out stays. `metadata` is a JSON Merge Patch: null removes."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DOCUMENT_PATCH]})

    original_name: OriginalName = Field(default="", json_schema_extra=_without_default)
    metadata: Metadata = Field(default_factory=dict)
    legal_hold: bool = Field(
        default=False,
        strict=True,
        json_schema_extra=_without_default,
        description="Needs document:purge. While true nobody can purge the document.",
    )
    retain_until: Instant | None = Field(
        default=None,
        json_schema_extra=_without_default,
        description="Needs document:purge. Before it nobody can purge the document; it only grows.",
    )

    @model_validator(mode="after")
    def _retained_until_a_time(self) -> Self:
        if "retain_until" in self.model_fields_set and self.retain_until is None:
            raise ValueError("retain_until only grows: it cannot be taken away")
        return self


class DocumentShown(Shown):
    """A document. `current_version` 0: it has no content yet."""

    id: UUID
    client_id: UUID
    original_name: str
    mime_type: str
    current_version: int
    size: int | None
    checksum_sha256: HexDigest | None
    metadata: StoredJson
    created_at: datetime
    created_by: UUID
    updated_at: datetime
    deleted_at: datetime | None
    legal_hold: bool
    retain_until: datetime | None


class DocumentPage(Shown):
    """A page of documents."""

    items: list[DocumentShown]
    next_cursor: str | None


class VersionShown(Shown):
    """One immutable version of a document's content.

    `detected_type` is what the bytes look like; null: like nothing that is known.
    """

    id: UUID
    document_id: UUID
    version_number: int
    mime_type: str
    size: int
    checksum_sha256: HexDigest
    created_at: datetime
    created_by: UUID
    detected_type: str | None


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
