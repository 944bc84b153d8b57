"""The Python SDK for tenants. It imports nothing of the service.

>>> from docshard_client import Docshard
>>> with Docshard("http://127.0.0.1:8080", "dsk_…") as api:
...     for document in api.list_documents(client_id):
...         print(document.original_name, document.current_version)
"""

from docshard_client.api import AsyncDocshard, Docshard
from docshard_client.errors import (
    ApiError,
    Conflict,
    ConnectionFailed,
    DocshardError,
    Forbidden,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    Problem,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from docshard_client.models import (
    ApiKey,
    AuditLog,
    BatchResult,
    BatchResults,
    Client,
    Document,
    Login,
    Page,
    Placement,
    PresignedRequest,
    Upload,
    UploadPart,
    Version,
)
from docshard_client.retry import Retry

__all__ = [
    "ApiError",
    "ApiKey",
    "AsyncDocshard",
    "AuditLog",
    "BatchResult",
    "BatchResults",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "Docshard",
    "DocshardError",
    "Document",
    "Forbidden",
    "InvalidRequest",
    "Login",
    "NotFound",
    "Page",
    "Placement",
    "PreconditionFailed",
    "PresignedRequest",
    "Problem",
    "Retry",
    "TooManyRequests",
    "Unauthenticated",
    "Unavailable",
    "Upload",
    "UploadPart",
    "Version",
]
