"""Refusals: who asks, or what is asked, is not all right."""

from collections.abc import Iterable

from services.errors.base import FieldError, ServiceError, TemporaryError

# Who is asking


class Unauthenticated(ServiceError):
    """No credentials came with the request, or they are unknown, expired or revoked."""

    code = "unauthenticated"
    title = "Credentials are missing or not valid"


class InvalidCredentials(ServiceError):
    """E-mail address, password or one-time code do not fit; which of them is never said."""

    code = "invalid_credentials"
    title = "E-mail address, password or code is wrong"


class MfaRequired(ServiceError):
    """The password is right and a second factor is needed: send `totp` or `recovery_code`."""

    code = "mfa_required"
    title = "A second factor is required"


class LoginTooOld(ServiceError):
    """This changes how one gets in, and the last login is too long ago: log in again."""

    code = "login_too_old"
    title = "A recent login is required"


class NotFound(ServiceError):
    """The thing does not exist, or the caller may not know that it does."""

    code = "not_found"
    title = "Not found"


class Forbidden(ServiceError):
    """The caller may see the thing and lacks the permission for what was asked."""

    code = "forbidden"
    title = "Permission is missing"


class ClientSuspended(ServiceError):
    """The client is suspended: none of its data can be read or written until it is activated."""

    code = "client_suspended"
    title = "The client is suspended"


class ClientInactive(ServiceError):
    """The client is inactive: its data can be read and not be changed."""

    code = "client_inactive"
    title = "The client is inactive and read-only"


# What is asked


class InvalidRequest(ServiceError):
    """The request is well-formed and its values are not acceptable; `errors` names each one."""

    code = "invalid_request"
    title = "The request is not valid"

    def __init__(self, detail: str | None = None, errors: Iterable[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors: tuple[FieldError, ...] = tuple(errors)

    @classmethod
    def at(cls, pointer: str, message: str) -> "InvalidRequest":
        """Make the error of one wrong value."""
        return cls(message, (FieldError(pointer, message),))


class InvalidCursor(ServiceError):
    """The cursor was not given out for this list with these filters: start without a cursor."""

    code = "invalid_cursor"
    title = "The cursor is not valid"


class CursorExpired(ServiceError):
    """What comes after the cursor is archived: start without a cursor, from the oldest kept."""

    code = "cursor_expired"
    title = "The cursor is older than what is kept"


class InvalidJson(ServiceError):
    """The body cannot be read as JSON."""

    code = "invalid_json"
    title = "The body is not valid JSON"


class IdempotencyMismatch(ServiceError):
    """The Idempotency-Key was used before with another request: use a new key."""

    code = "idempotency_mismatch"
    title = "The Idempotency-Key belongs to another request"


class IdempotencyInProgress(TemporaryError):
    """A request with this Idempotency-Key is still running: wait and repeat it."""

    code = "idempotency_in_progress"
    title = "A request with this Idempotency-Key is still running"
    default_retry_after_seconds = 1


class SecretAlreadyShown(ServiceError):
    """The first answer held a secret, which is shown only once and is not kept."""

    code = "secret_already_shown"
    title = "The secret of this request was shown before"


class PreconditionRequired(ServiceError):
    """The call changes an existing thing and needs If-Match with its ETag."""

    code = "precondition_required"
    title = "If-Match is required"


class PreconditionFailed(ServiceError):
    """The thing has changed since the caller read it: read it again and decide anew."""

    code = "precondition_failed"
    title = "The ETag is stale"


class WriteLost(ServiceError):
    """The write that the Consistency-Token names was lost when its database failed over: read again
    without the token, and make the change anew if it is missing."""

    code = "write_lost"
    title = "A failover has lost this write"


class Conflict(ServiceError):
    """The state of the thing does not allow what was asked."""

    code = "conflict"
    title = "The present state does not allow this"


class CodeTaken(Conflict):
    """Another living client has this code."""

    code = "code_taken"
    title = "The code belongs to another client"


class EmailTaken(Conflict):
    """Another living user has this e-mail address."""

    code = "email_taken"
    title = "The e-mail address belongs to another user"


class MobileTaken(Conflict):
    """Another living user has this telephone number."""

    code = "mobile_taken"
    title = "The telephone number belongs to another user"


class LastAdmin(Conflict):
    """Nobody would be left who may administer: make another administrator first."""

    code = "last_admin"
    title = "The last administrator cannot be removed"


class Busy(TemporaryError):
    """Another request holds the same thing for longer than this one waits: repeat it."""

    code = "busy"
    title = "Another request is changing the same thing"
    default_retry_after_seconds = 1


class NoContent(ServiceError):
    """The document has no version yet: there is nothing to download."""

    code = "no_content"
    title = "The document has no content yet"


class Retained(Conflict):
    """The document is on legal hold or must be retained: nobody may purge it."""

    code = "retained"
    title = "The document must be kept"


class UploadIncomplete(Conflict):
    """Not all announced bytes have arrived at the object store: send the rest, then complete."""

    code = "upload_incomplete"
    title = "The upload is not complete"


class UploadEnded(Conflict):
    """The upload was aborted or ran out of time: begin a new one."""

    code = "upload_ended"
    title = "The upload has ended"


class ContentRefused(ServiceError):
    """The bytes are of another kind than their declared media type; nothing was kept."""

    code = "content_refused"
    title = "The content is not what it is declared to be"


class ChecksumMismatch(ServiceError):
    """The bytes that arrived are not those that were announced; nothing was kept."""

    code = "checksum_mismatch"
    title = "The content does not match its checksum"


class RangeNotSatisfiable(ServiceError):
    """The asked range begins behind the last byte; `size` is the length of the content."""

    code = "range_not_satisfiable"
    title = "The range lies outside the content"

    def __init__(self, size: int = 0) -> None:
        super().__init__(f"The content has {size} bytes.")
        self.size = size


class HeadersTooLarge(ServiceError):
    """Request line and headers, or trailers, are larger than 64 KiB."""

    code = "headers_too_large"
    title = "The headers are too large"


class ContentTooLarge(ServiceError):
    """The body is larger than the limit; nothing was kept."""

    code = "content_too_large"
    title = "The body is too large"


class RequestTimeout(ServiceError):
    """The body did not arrive in time; nothing was kept."""

    code = "request_timeout"
    title = "The body took too long to arrive"


class MethodNotAllowed(ServiceError):
    """The address exists and does not know this method."""

    code = "method_not_allowed"
    title = "The method is not allowed here"


class NotAcceptable(ServiceError):
    """None of the media types that the caller accepts can be given."""

    code = "not_acceptable"
    title = "No acceptable media type"


class UnsupportedMediaType(ServiceError):
    """The body has a media type or encoding that this call does not take."""

    code = "unsupported_media_type"
    title = "The media type is not supported"
