"""A data key in the clear, as it lives in memory and nowhere else."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Purpose(StrEnum):
    """What a data key is for. A key never serves two purposes."""

    FIELD_ENCRYPTION = "field_encryption"
    BLIND_INDEX_EMAIL = "blind_index_email"
    BLIND_INDEX_MOBILE = "blind_index_mobile"
    JWT_SIGNING = "jwt_signing"
    REFRESH_TOKENS = "refresh_tokens"
    TOKEN_SIGNING = "token_signing"  # noqa: S105  the name of a purpose, not a secret


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """32 secret bytes with their id.

    Once `retired_at` has come it reads what exists and makes nothing new. Until then it makes new
    values although its successor exists: that one has to become known everywhere first.
    """

    id: UUID
    purpose: Purpose
    secret: bytes = field(repr=False)
    created_at: datetime
    retired_at: datetime | None = None

    def __post_init__(self) -> None:
        if len(self.secret) != 32:
            raise ValueError("a data key has 32 bytes")
