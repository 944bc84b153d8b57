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
    AUDIT_HEADS = "audit_heads"
    REFRESH_TOKENS = "refresh_tokens"
    TOKEN_SIGNING = "token_signing"  # noqa: S105  the name of a purpose, not a secret


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """32 secret bytes with their id.

    `retired_at` set: reads what exists, makes nothing new. So does a key that is `published` and
    not in use yet: it is here early, so that it is known when others begin to use it.
    """

    id: UUID
    purpose: Purpose
    secret: bytes = field(repr=False)
    created_at: datetime
    retired_at: datetime | None = None
    published: bool = False

    @property
    def in_use(self) -> bool:
        """Whether new values are made with it."""
        return self.retired_at is None and not self.published

    def __post_init__(self) -> None:
        if len(self.secret) != 32:
            raise ValueError("a data key has 32 bytes")
