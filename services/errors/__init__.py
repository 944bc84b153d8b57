"""What can go wrong in the words of the domain.

Every error says what happened in `title`, by a stable `code` that programs may rely on,
and for a person in `detail`. Which HTTP status belongs to a code is the router's affair.
The docstring of a class is its meaning: the docs' table of errors is made from it.
"""

from services.errors.base import FieldError, ServiceError, TemporaryError
from services.errors.outages import (
    DatabaseFull,
    DirectoryUnavailable,
    InternalError,
    KeysUnavailable,
    OutcomeUnknown,
    Overloaded,
    ShardBehind,
    ShardUnavailable,
    StorageUnavailable,
    TenantMoving,
)
from services.errors.refusals import (
    Busy,
    ChecksumMismatch,
    ClientInactive,
    ClientSuspended,
    CodeTaken,
    Conflict,
    ContentRefused,
    ContentTooLarge,
    CursorExpired,
    EmailTaken,
    Forbidden,
    HeadersTooLarge,
    IdempotencyInProgress,
    IdempotencyMismatch,
    InvalidCredentials,
    InvalidCursor,
    InvalidJson,
    InvalidRequest,
    LastAdmin,
    LoginTooOld,
    MethodNotAllowed,
    MfaRequired,
    MobileTaken,
    NoContent,
    NotAcceptable,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    RangeNotSatisfiable,
    RequestTimeout,
    Retained,
    SecretAlreadyShown,
    Unauthenticated,
    UnsupportedMediaType,
    UploadEnded,
    UploadIncomplete,
    WriteLost,
)
from services.errors.shares import QuotaExceeded, TooManyRequests

__all__ = [
    "Busy",
    "ChecksumMismatch",
    "ClientInactive",
    "ClientSuspended",
    "CodeTaken",
    "Conflict",
    "ContentRefused",
    "ContentTooLarge",
    "CursorExpired",
    "DatabaseFull",
    "DirectoryUnavailable",
    "EmailTaken",
    "FieldError",
    "Forbidden",
    "HeadersTooLarge",
    "IdempotencyInProgress",
    "IdempotencyMismatch",
    "InternalError",
    "InvalidCredentials",
    "InvalidCursor",
    "InvalidJson",
    "InvalidRequest",
    "KeysUnavailable",
    "LastAdmin",
    "LoginTooOld",
    "MethodNotAllowed",
    "MfaRequired",
    "MobileTaken",
    "NoContent",
    "NotAcceptable",
    "NotFound",
    "OutcomeUnknown",
    "Overloaded",
    "PreconditionFailed",
    "PreconditionRequired",
    "QuotaExceeded",
    "RangeNotSatisfiable",
    "RequestTimeout",
    "Retained",
    "SecretAlreadyShown",
    "ServiceError",
    "ShardBehind",
    "ShardUnavailable",
    "StorageUnavailable",
    "TemporaryError",
    "TenantMoving",
    "TooManyRequests",
    "Unauthenticated",
    "UnsupportedMediaType",
    "UploadEnded",
    "UploadIncomplete",
    "WriteLost",
    "all_errors",
]


def all_errors() -> tuple[type[ServiceError], ...]:
    """Give every error that has a code of its own, in the order of codes."""
    kinds = (
        kind
        for kind in globals().values()
        if isinstance(kind, type) and issubclass(kind, ServiceError) and "code" in vars(kind)
    )
    return tuple(sorted(kinds, key=lambda kind: kind.code))
