"""What the service answers, as values. Fields that this release does not know are ignored."""

from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue

T = TypeVar("T")


class Model(BaseModel):
    """An immutable value read from the service."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Login(Model):
    """An operator's or user's session."""

    access_token: str
    token_type: str
    expires_in: int
    """Seconds."""
    refresh_token: str | None = None


class Client(Model):
    """A tenant."""

    id: UUID
    code: str
    name: str
    metadata: dict[str, JsonValue] = {}
    status: str
    managed_by: UUID | None = None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


class Placement(Model):
    """Where a client lives."""

    client_id: UUID
    shard: str
    epoch: int
    state: str


class ApiKey(Model):
    """A key for machines; `key` is the secret and is shown this once."""

    id: UUID
    client_id: UUID
    name: str
    key: str
    scopes: tuple[str, ...]
    expires_at: datetime | None = None


class Document(Model):
    """A document's description. `current_version` 0 means that it has no content yet."""

    id: UUID
    client_id: UUID
    original_name: str
    mime_type: str
    current_version: int
    size: int | None = None
    """Bytes of the current version."""
    checksum_sha256: str | None = None
    """Of the current version, hexadecimal."""
    metadata: dict[str, JsonValue] = {}
    created_at: datetime
    created_by: UUID | None = None
    updated_at: datetime
    deleted_at: datetime | None = None
    legal_hold: bool = False
    retain_until: datetime | None = None
    etag: str | None = None
    """What update_document and delete_document want; None in a list, which does not tell it."""


class Version(Model):
    """One immutable content of a document."""

    id: UUID
    document_id: UUID
    version_number: int
    mime_type: str
    size: int
    """Bytes."""
    checksum_sha256: str
    created_at: datetime
    created_by: UUID | None = None
    detected_type: str | None = None
    """What the bytes look like, whatever type was declared."""


class PresignedRequest(Model):
    """A request to make against the object store, with exactly these headers."""

    method: str
    url: str
    headers: dict[str, str] = {}


class UploadPart(PresignedRequest):
    """The request that sends bytes `first` and following, `size` of them."""

    part_number: int
    first: int
    size: int


class Upload(Model):
    """Where to send bytes: `upload` takes the whole, or each of `parts` its piece."""

    upload_id: UUID
    expires_at: datetime
    upload: PresignedRequest | None = None
    parts: tuple[UploadPart, ...] = ()


class BatchResult(Model):
    """What one operation of a batch did: `document` with its `etag`, or the problem `error`."""

    status: int
    etag: str | None = None
    document: Document | None = None
    error: dict[str, JsonValue] | None = None


class BatchResults(Model):
    """A result for each operation, in their order."""

    results: tuple[BatchResult, ...]


class AuditLog(Model):
    """Who did what to which entity. `seq` is None until the chain has taken the row."""

    id: UUID
    user_id: UUID | None = None
    api_key_id: UUID | None = None
    action: str
    entity_type: str
    entity_id: UUID | None = None
    changes: dict[str, JsonValue] | None = None
    ip_address: str | None = None
    request_id: str | None = None
    created_at: datetime
    seq: int | None = None


class Page(Model, Generic[T]):
    """One page of a list."""

    items: tuple[T, ...]
    next_cursor: str | None = None
