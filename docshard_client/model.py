"""What all answers have in common, and pages of them."""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")

SECRETS = frozenset(
    {
        *("access_token", "refresh_token", "token", "key", "secret", "otpauth_uri"),
        *("recovery_codes", "url"),
    }
)
"""Fields that open something; a presigned address does, too."""


class Model(BaseModel):
    """An immutable value read from the service. Fields that this release does not know are ignored.

    Its secrets never show in its repr, which ends up in logs and tracebacks.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, "…" if name in SECRETS and value is not None else value


class Page(Model, Generic[T]):
    """One page of a list."""

    items: tuple[T, ...]
    next_cursor: str | None = None
