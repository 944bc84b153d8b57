"""What all domain errors have in common."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong value of a request.

    `pointer` is a JSON Pointer (RFC 6901) into the body, such as `/metadata/size`,
    or the name of the parameter or header with a leading `?` or `#`.
    """

    pointer: str
    message: str


class ServiceError(Exception):
    """Base of all domain errors. `detail` is for the person who made the request."""

    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail if detail is not None else f"{self.title}."
        super().__init__(self.detail)


class TemporaryError(ServiceError):
    """Base of errors that may pass: the same request may succeed after `retry_after_seconds`."""

    default_retry_after_seconds: ClassVar[int] = 2

    def __init__(
        self, detail: str | None = None, *, retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(detail)
        self.retry_after_seconds = (
            self.default_retry_after_seconds if retry_after_seconds is None else retry_after_seconds
        )
