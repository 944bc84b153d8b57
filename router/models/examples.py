"""Examples of the API description: one tenant, one document, all through."""

from typing import Any, Final

Json = dict[str, Any]

CLIENT_ID: Final = "01983f5e-1111-7d2b-9a4e-0c5b7d1e2f30"
DOCUMENT_ID: Final = "01983f5e-2222-7d2b-9a4e-0c5b7d1e2f31"
VERSION_ID: Final = "01983f5e-3333-7d2b-9a4e-0c5b7d1e2f32"
USER_ID: Final = "01983f5e-4444-7d2b-9a4e-0c5b7d1e2f33"
KEY_ID: Final = "01983f5e-5555-7d2b-9a4e-0c5b7d1e2f34"
AUDIT_ID: Final = "01983f5e-6666-7d2b-9a4e-0c5b7d1e2f35"
SHA256: Final = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
NOON: Final = "2026-01-31T12:00:00Z"

DOCUMENT_GIVEN: Final[Json] = {
    "original_name": "contract.pdf",
    "mime_type": "application/pdf",
    "metadata": {"project": "harbour", "signed": True},
}
DOCUMENT: Final[Json] = {
    "id": DOCUMENT_ID,
    "client_id": CLIENT_ID,
    **DOCUMENT_GIVEN,
    "current_version": 1,
    "size": 3,
    "checksum_sha256": SHA256,
    "created_at": NOON,
    "created_by": USER_ID,
    "updated_at": NOON,
    "deleted_at": None,
    "legal_hold": False,
    "retain_until": None,
}
NEW_DOCUMENT: Final[Json] = DOCUMENT | {
    "current_version": 0,
    "size": None,
    "checksum_sha256": None,
}
DOCUMENT_PATCH: Final[Json] = {
    "original_name": "contract-final.pdf",
    "metadata": {"signed": None, "pages": 12},
}
VERSION: Final[Json] = {
    "id": VERSION_ID,
    "document_id": DOCUMENT_ID,
    "version_number": 1,
    "mime_type": "application/pdf",
    "size": 3,
    "checksum_sha256": SHA256,
    "created_at": NOON,
    "created_by": USER_ID,
    "detected_type": "application/pdf",
}
AUDIT_LOG: Final[Json] = {
    "id": AUDIT_ID,
    "user_id": USER_ID,
    "api_key_id": None,
    "action": "document.update",
    "entity_type": "document",
    "entity_id": DOCUMENT_ID,
    "changes": {
        "before": {"original_name": "contract.pdf"},
        "after": {"original_name": "contract-final.pdf"},
    },
    "ip_address": "192.0.2.7",
    "request_id": "01983f5e-7c1a-7d2b-9a4e-0c5b7d1e2f30",
    "created_at": NOON,
    "seq": 7,
}
_USAGE: Final[Json] = {"documents": 1, "versions": 2, "bytes": 6}
USAGE_REPORT: Final[Json] = {
    "as_of": NOON,
    "limits": {"documents": 10_000, "bytes": None, "requests_per_second": 20.0},
    "total": _USAGE,
    "by_mime_type": [{"mime_type": "application/pdf", **_USAGE}],
    "by_month": [{"month": "2026-01", **_USAGE}],
}
CLIENT_GIVEN: Final[Json] = {
    "code": "harbour",
    "name": "Harbour Works",
    "metadata": {"plan": "large"},
}
CLIENT_PATCH: Final[Json] = {"status": "inactive", "metadata": {"plan": None}}
CLIENT: Final[Json] = {
    "id": CLIENT_ID,
    **CLIENT_GIVEN,
    "status": "active",
    "managed_by": None,
    "created_at": NOON,
    "updated_at": NOON,
    "deleted_at": None,
}
PLACEMENT: Final[Json] = {
    "client_id": CLIENT_ID,
    "shard": "shard-1",
    "epoch": 1,
    "state": "open",
}
API_KEY_GIVEN: Final[Json] = {
    "name": "nightly import",
    "scopes": ["document:read", "document:write"],
    "expires_at": "2027-01-31T12:00:00Z",
}
API_KEY: Final[Json] = {
    "id": KEY_ID,
    "client_id": CLIENT_ID,
    **API_KEY_GIVEN,
    "created_by": USER_ID,
    "created_at": NOON,
    "last_used_at": None,
    "revoked_at": None,
}
NEW_API_KEY: Final[Json] = API_KEY | {"key": "dsk_…"}


def page(item: Json) -> Json:
    """A page that holds this item, with more behind it."""
    return {"items": [item], "next_cursor": "AZg_Xn…"}
