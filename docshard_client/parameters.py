"""Paths, headers and parameters that operations are made of."""

import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Final, Literal
from uuid import UUID, uuid4

from pydantic import JsonValue

Metadata = Mapping[str, JsonValue]
Deleted = Literal["include", "only"]
Sort = Literal[
    "created_at", "-created_at", "original_name", "-original_name", "updated_at", "-updated_at"
]


class Keep(Enum):
    """What is not given where None has a meaning of its own: it stays as it is."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


def client_path(client_id: UUID) -> str:
    """The path of a client."""
    return f"/v1/clients/{client_id}"


def documents_path(client_id: UUID, document_id: UUID | None = None) -> str:
    """The path of a client's documents, or of one of them."""
    path = f"{client_path(client_id)}/documents"
    return path if document_id is None else f"{path}/{document_id}"


def once(idempotency_key: str | None) -> dict[str, str]:
    """Every creation carries a key, so that repeating it is always safe."""
    return {"Idempotency-Key": idempotency_key or str(uuid4())}


def present(**fields: JsonValue) -> dict[str, JsonValue]:
    """The members of a body that were given."""
    return {name: value for name, value in fields.items() if value is not None}


def changed(**fields: JsonValue | UUID | Keep) -> dict[str, JsonValue]:
    """The members of a body that are to change; None takes away."""
    return {
        name: str(value) if isinstance(value, UUID) else value
        for name, value in fields.items()
        if not isinstance(value, Keep)
    }


def query(**params: object) -> dict[str, str]:
    """The parameters of a query that were given."""
    return {name: _text(value) for name, value in params.items() if value is not None}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def plain(metadata: Metadata | None) -> JsonValue:
    """Metadata as a member of a body."""
    return None if metadata is None else dict(metadata)


def compact(metadata: Metadata | None) -> str | None:
    """Metadata as one parameter."""
    return None if metadata is None else json.dumps(dict(metadata), separators=(",", ":"))


def instant(moment: datetime | None) -> str | None:
    """A time as a parameter."""
    return None if moment is None else moment.isoformat()
