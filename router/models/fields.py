"""Types of single values: strict on the way in, since a guess here becomes a fact in storage."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    SkipValidation,
    StringConstraints,
    WithJsonSchema,
)

from router.headers import MEDIA_TYPE

MAX_METADATA_BYTES: Final = 64 * 1024
MAX_LIMIT: Final = 200
DEFAULT_LIMIT: Final = 50

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_INSTANT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


class Given(BaseModel):
    """Base of what callers send: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shown(BaseModel):
    """Base of what callers get; made from the services' values by attribute."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


def _uuid(value: Any) -> Any:
    if isinstance(value, UUID) or (isinstance(value, str) and _UUID.fullmatch(value)):
        return value
    raise ValueError("Must be a UUID such as 01983f5e-7c1a-7d2b-9a4e-0c5b7d1e2f30")


def _instant(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    if not (isinstance(value, str) and _INSTANT.fullmatch(value)):
        raise ValueError("Must be an RFC 3339 time with a zone, such as 2026-01-31T12:00:00Z")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("There is no such time") from None


def _file_name(value: str) -> str:
    if any(sign in value for sign in "/\\") or value in {".", ".."}:
        raise ValueError("Must be the name of a file, without a path")
    return value


def _small_enough(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if len(orjson.dumps(value)) > MAX_METADATA_BYTES:
        raise ValueError(f"Must not be larger than {MAX_METADATA_BYTES} bytes as JSON")
    return value


def _whole_number(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    raise ValueError("Must be a whole number")


def _truth(value: Any) -> Any:
    if value in {"true", "false"}:
        return value == "true"
    if isinstance(value, bool):
        return value
    raise ValueError("Must be true or false")


def id_of(text: str) -> UUID | None:
    """The id that a text is in the one form that we take; None in any other."""
    return UUID(text) if _UUID.fullmatch(text) else None


AN_ID: Final = BeforeValidator(_uuid)
Id = Annotated[UUID, AN_ID]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Metadata = Annotated[dict[str, JsonValue], AfterValidator(_small_enough)]
StoredJson = Annotated[dict[str, JsonValue], SkipValidation]
"""Of an answer: the database has it as JSON, which is not proven again value by value."""
OriginalName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$"),
    AfterValidator(_file_name),
]
Label = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")
]
SearchText = Annotated[
    str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")
]
MimeType = Annotated[str, StringConstraints(max_length=255, pattern=MEDIA_TYPE)]
ClientCode = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$")
]
Cursor = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[A-Za-z0-9_=-]+$")]
Limit = Annotated[int, BeforeValidator(_whole_number), Field(ge=1, le=MAX_LIMIT)]
Seconds = Annotated[int, BeforeValidator(_whole_number), Field(ge=0, le=30)]
Flag = Annotated[bool, BeforeValidator(_truth)]
VersionNumber = Annotated[int, BeforeValidator(_whole_number), Field(ge=1, le=2**31 - 1)]
Size = Annotated[int, Field(ge=0, le=2**53, description="In bytes.", strict=True)]
Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
HexDigest = Annotated[
    str,
    BeforeValidator(lambda value: value.hex() if isinstance(value, bytes) else value),
    WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
]


class PageQuery(Given):
    """Parameters of every list."""

    limit: Limit = Field(default=DEFAULT_LIMIT, description="How many at most.")
    cursor: Cursor | None = Field(default=None, description="`next_cursor` of the page before.")
