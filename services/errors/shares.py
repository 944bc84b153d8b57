"""Refusals: who asks has had their share."""

from services.errors.base import ServiceError, TemporaryError


class TooManyRequests(TemporaryError):
    """The caller or its client has used up its share of requests for now."""

    code = "too_many_requests"
    title = "Too many requests"
    default_retry_after_seconds = 1


class QuotaExceeded(ServiceError):
    """The client stores as much as its operators allow: remove something, or ask them for more."""

    code = "quota_exceeded"
    title = "The client's quota is used up"

    def __init__(self, resource: str = "documents", limit: int = 0) -> None:
        super().__init__(f"This client may store {limit:,} {resource}.")
        self.resource = resource
        self.limit = limit
