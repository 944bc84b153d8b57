"""The Python SDK for tenants. It imports nothing of the service.

>>> from docshard_client import Docshard
>>> with Docshard("http://127.0.0.1:8080", "dsk_…") as api:
...     for document in api.list_documents(client_id):
...         print(document.original_name, document.current_version)
"""

from docshard_client import models
from docshard_client.api import AsyncDocshard, Docshard
from docshard_client.errors import (
    ApiError,
    Conflict,
    ConnectionFailed,
    DocshardError,
    FileChanged,
    Forbidden,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    Problem,
    StorageRefused,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from docshard_client.model import Page
from docshard_client.models import *  # noqa: F403 - the generated file says itself what it offers
from docshard_client.parameters import KEEP
from docshard_client.retry import Retry
from docshard_client.transfers import Progress

__all__ = [
    "KEEP",
    "ApiError",
    "AsyncDocshard",
    "Conflict",
    "ConnectionFailed",
    "Docshard",
    "DocshardError",
    "FileChanged",
    "Forbidden",
    "InvalidRequest",
    "NotFound",
    "Page",
    "PreconditionFailed",
    "Problem",
    "Progress",
    "Retry",
    "StorageRefused",
    "TooManyRequests",
    "Unauthenticated",
    "Unavailable",
]
__all__ += models.__all__
