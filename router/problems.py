"""Errors as HTTP: the one table from code to status, and problem+json (RFC 9457)."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from router.context import context_of
from services import errors

MEDIA_TYPE: Final = "application/problem+json"
DOCS_PATH: Final = "/docs/errors"
MAX_FIELD_ERRORS: Final = 20

STATUS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "invalid_json": 400,
        "unauthenticated": 401,
        "invalid_credentials": 401,
        "mfa_required": 401,
        "forbidden": 403,
        "login_too_old": 403,
        "quota_exceeded": 403,
        "client_suspended": 403,
        "client_inactive": 403,
        "not_found": 404,
        "method_not_allowed": 405,
        "not_acceptable": 406,
        "request_timeout": 408,
        "conflict": 409,
        "code_taken": 409,
        "email_taken": 409,
        "mobile_taken": 409,
        "last_admin": 409,
        "busy": 409,
        "no_content": 409,
        "retained": 409,
        "upload_incomplete": 409,
        "upload_ended": 409,
        "idempotency_in_progress": 409,
        "secret_already_shown": 409,
        "write_lost": 409,
        "cursor_expired": 410,
        "precondition_failed": 412,
        "content_too_large": 413,
        "unsupported_media_type": 415,
        "range_not_satisfiable": 416,
        "invalid_request": 422,
        "invalid_cursor": 422,
        "checksum_mismatch": 422,
        "content_refused": 422,
        "idempotency_mismatch": 422,
        "precondition_required": 428,
        "too_many_requests": 429,
        "headers_too_large": 431,
        "internal": 500,
        "database_full": 503,
        "shard_unavailable": 503,
        "shard_behind": 503,
        "tenant_moving": 503,
        "directory_unavailable": 503,
        "storage_unavailable": 503,
        "keys_unavailable": 503,
        "overloaded": 503,
        "outcome_unknown": 503,
    }
)


def known_errors() -> dict[str, type[errors.ServiceError]]:
    """Every error that this API can answer with, by code."""
    return {kind.code: kind for kind in errors.all_errors()}


def problem_document(error: errors.ServiceError, instance: str, request_id: str) -> dict[str, Any]:
    """The members of a problem, in API.md's order."""
    named = error.errors if isinstance(error, errors.InvalidRequest) else ()
    return {
        "type": f"{DOCS_PATH}#{error.code}",
        "title": error.title,
        "status": STATUS[error.code],
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
        "request_id": request_id,
        "errors": [{"pointer": one.pointer, "message": one.message} for one in named],
    }


def problem_response(scope: Scope, error: errors.ServiceError) -> Response:
    """Make the answer to a request that ended in `error`."""
    instance = scope.get("raw_path", b"").decode("ascii", "replace")
    context = context_of(scope)
    context.problem = error.code
    document = problem_document(error, instance, context.request_id)
    return Response(
        orjson.dumps(document),
        status_code=STATUS[error.code],
        headers=_headers(error),
        media_type=MEDIA_TYPE,
    )


def _headers(error: errors.ServiceError) -> dict[str, str]:
    headers = {}
    if isinstance(error, errors.TemporaryError):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if STATUS[error.code] == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="docshard"'
    if isinstance(error, errors.QuotaExceeded):
        unit = ';qu="content-bytes"' if error.resource == "bytes" else ""
        headers["RateLimit-Policy"] = f'"{error.resource}";q={error.limit}{unit}'
        headers["RateLimit"] = f'"{error.resource}";r=0'
    if isinstance(error, errors.RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size}"
    return headers


async def on_service_error(request: Request, error: Exception) -> Response:
    """Exception handler for domain errors."""
    if not isinstance(error, errors.ServiceError):
        raise error
    return problem_response(request.scope, error)


async def on_validation_error(request: Request, error: Exception) -> Response:
    """Exception handler for values that do not fit the declared types."""
    if not isinstance(error, RequestValidationError):
        raise error
    return problem_response(request.scope, from_validation(error))


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Exception handler for what the framework itself refuses: unknown paths and methods."""
    if not isinstance(error, HTTPException):
        raise error
    response = problem_response(request.scope, _from_status(error.status_code))
    response.headers.update(error.headers or {})
    return response


def _from_status(status: int) -> errors.ServiceError:
    if status == 405:
        return errors.MethodNotAllowed()
    if status == 400:
        return errors.InvalidJson()
    if status == 413:
        return errors.ContentTooLarge()
    return errors.NotFound("There is nothing at this address.")


def from_validation(error: RequestValidationError) -> errors.ServiceError:
    """Say in domain words what the validator found.

    An id in the path that cannot be one names nothing: it answers like an absent one.
    """
    found = error.errors()
    if any(one["loc"][0] == "path" for one in found):
        return errors.NotFound()
    fields = [errors.FieldError(pointer(one["loc"]), _message(one)) for one in found]
    detail = "; ".join(f"{one.pointer or 'body'}: {one.message}" for one in fields[:3])
    return errors.InvalidRequest(detail, fields[:MAX_FIELD_ERRORS])


def pointer(location: Sequence[int | str]) -> str:
    """Turn a validator's location into a FieldError pointer."""
    place, *path = location
    if place == "body":
        return "".join(f"/{_escape(str(part))}" for part in path)
    sign = "?" if place == "query" else "#"
    return f"{sign}{'.'.join(_printable(str(part)) for part in path)}"


def _escape(part: str) -> str:
    return _printable(part).replace("~", "~0").replace("/", "~1")


def _printable(text: str) -> str:
    shown = text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\u0000")
    return shown if len(shown) <= 100 else f"{shown[:100]}…"


def _message(one: Mapping[str, Any]) -> str:
    text = str(one["msg"]).removeprefix("Value error, ")
    return f"{text[:1].upper()}{text[1:]}"
