"""Examples of uploads and batches."""

from typing import Any, Final

from router.models import examples

Json = dict[str, Any]

UPLOAD_ID: Final = "01983f5e-7777-7d2b-9a4e-0c5b7d1e2f36"
UPLOAD_GIVEN: Final[Json] = {"size": 3, "checksum_sha256": examples.SHA256}
UPLOAD: Final[Json] = {
    "upload_id": UPLOAD_ID,
    "expires_at": "2026-02-01T12:00:00Z",
    "upload": {
        "method": "PUT",
        "url": "https://…",
        "headers": {
            "Content-Length": "3",
            "Content-Type": "application/pdf",
            "x-amz-checksum-sha256": "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=",
        },
    },
    "parts": [],
}
DOCUMENT_WITH_UPLOAD: Final[Json] = examples.NEW_DOCUMENT | {"upload": UPLOAD}
BATCH_GIVEN: Final[Json] = {
    "operations": [
        {"operation": "create", "original_name": "a.txt", "mime_type": "text/plain"},
        {
            "operation": "update",
            "document_id": examples.DOCUMENT_ID,
            "if_match": '"3"',
            "metadata": {"signed": True},
        },
        {"operation": "delete", "document_id": examples.VERSION_ID, "if_match": '"1"'},
    ]
}
BATCH: Final[Json] = {
    "results": [
        {"status": 200, "etag": '"4"', "document": examples.DOCUMENT, "error": None},
        {
            "status": 412,
            "etag": None,
            "document": None,
            "error": {
                "type": "/docs/errors#precondition_failed",
                "title": "The ETag is stale",
                "status": 412,
                "detail": "The ETag is stale.",
                "instance": "/v1/…#/operations/1",
                "code": "precondition_failed",
                "request_id": "01983f5e-7c1a-7d2b-9a4e-0c5b7d1e2f30",
                "errors": [],
            },
        },
    ]
}
