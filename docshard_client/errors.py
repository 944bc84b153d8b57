"""What can go wrong, as types. Every one of them is a DocshardError."""

from dataclasses import dataclass, field

import httpx


class DocshardError(Exception):
    """Anything this library raises on purpose."""


class ConnectionFailed(DocshardError):
    """No answer came: the service could not be reached, or the connection broke.

    Where the request had left already its outcome is unknown; creating again with the same
    `idempotency_key` settles it.
    """


class StorageRefused(DocshardError):
    """The object store did not take or give the bytes, after patient retries."""


class FileChanged(DocshardError):
    """The file became shorter while it was sent, or what arrived is not what was asked for."""


@dataclass(frozen=True, slots=True)
class Problem:
    """The body of an error answer (RFC 9457) with what its headers add."""

    status: int
    code: str
    detail: str
    request_id: str | None = None
    retry_after: float | None = None
    """Seconds the service asks to wait."""
    errors: tuple[object, ...] = field(default=())
    """What is wrong with each field of a refused request."""


class ApiError(DocshardError):
    """The service refused. `code` is stable and for programs, `detail` is for people."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.status} {problem.code}: {problem.detail}")
        self.problem = problem

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def code(self) -> str:
        """The stable snake_case name of the error, such as `precondition_failed`."""
        return self.problem.code

    @property
    def detail(self) -> str:
        """What happened, for a person."""
        return self.problem.detail

    @property
    def request_id(self) -> str | None:
        """What to name when asking the operators about this request."""
        return self.problem.request_id


class InvalidRequest(ApiError):
    """400 or 422: the request makes no sense; `problem.errors` says which fields."""


class Unauthenticated(ApiError):
    """401: no key, an unknown one, or wrong credentials."""


class Forbidden(ApiError):
    """403: known, but not allowed; also a suspended or inactive client."""


class NotFound(ApiError):
    """404: it does not exist, or must not be seen; the two look alike."""


class Conflict(ApiError):
    """409: the present state forbids it, such as a code already taken."""


class PreconditionFailed(ApiError):
    """412: it has changed since the ETag was read. Read again, then decide."""


class TooManyRequests(ApiError):
    """429: over the limit for longer than was worth waiting."""


class Unavailable(ApiError):
    """503: a part of the service was away for longer than was worth waiting."""


_TYPES: dict[int, type[ApiError]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    422: InvalidRequest,
    429: TooManyRequests,
    503: Unavailable,
}


def error_for(response: httpx.Response) -> ApiError:
    """The typed error of an answer of status 400 or above."""
    problem = read_problem(response)
    return _TYPES.get(problem.status, ApiError)(problem)


def read_problem(response: httpx.Response) -> Problem:
    """Read problem+json; anything else (a proxy's page) becomes code `unknown`."""
    body = _json_object(response)
    errors = body.get("errors")
    return Problem(
        status=response.status_code,
        code=str(body.get("code", "unknown")),
        detail=str(body.get("detail") or response.reason_phrase),
        request_id=_text(body.get("request_id")) or response.headers.get("Request-Id"),
        retry_after=_seconds(response.headers.get("Retry-After")),
        errors=tuple(errors) if isinstance(errors, list) else (),
    )


def _json_object(response: httpx.Response) -> dict[str, object]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _seconds(header: str | None) -> float | None:
    """Retry-After in seconds. The service never sends its other form, a date."""
    return float(header) if header is not None and header.isdecimal() else None
