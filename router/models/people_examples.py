"""Examples of users, roles and grants for the API description."""

from typing import Any, Final

from router.models.examples import CLIENT_ID, NOON, USER_ID

Json = dict[str, Any]

ROLE_ID: Final = "01983f5e-7777-7d2b-9a4e-0c5b7d1e2f36"
GRANT_ID: Final = "01983f5e-8888-7d2b-9a4e-0c5b7d1e2f37"

USER_GIVEN: Final[Json] = {"email": "ada@example.org", "mobile": "+44 20 7946 0958"}
USER_PATCH: Final[Json] = {"is_active": False}
USER: Final[Json] = {
    "id": USER_ID,
    **USER_GIVEN,
    "is_active": True,
    "mfa": False,
    "created_at": NOON,
    "updated_at": NOON,
    "deleted_at": None,
}
ROLE_GIVEN: Final[Json] = {
    "name": "archivist",
    "description": "reads and restores documents",
    "permissions": ["document:read", "document:delete"],
}
ROLE_PATCH: Final[Json] = {"permissions": ["document:read"]}
ROLE: Final[Json] = {
    "id": ROLE_ID,
    **ROLE_GIVEN,
    "built_in": False,
    "created_at": NOON,
    "mfa_required": False,
}
PERMISSION: Final[Json] = {"name": "document:read", "description": "see documents"}
GRANT_GIVEN: Final[Json] = {"role": "editor", "client_id": CLIENT_ID}
HELD_ROLE: Final[Json] = {
    "id": GRANT_ID,
    "user_id": USER_ID,
    **GRANT_GIVEN,
    "granted_by": USER_ID,
    "created_at": NOON,
}
GLOBAL_AUDIT_LOG: Final[Json] = {
    "id": GRANT_ID,
    "user_id": USER_ID,
    "api_key_id": None,
    "client_id": CLIENT_ID,
    "action": "role.grant",
    "entity_type": "user",
    "entity_id": USER_ID,
    "changes": {"before": None, "after": {"role": "editor", "client_id": CLIENT_ID}},
    "ip_address": "192.0.2.7",
    "request_id": "01983f5e-7c1a-7d2b-9a4e-0c5b7d1e2f30",
    "reason": None,
    "created_at": NOON,
}


def items(item: Json) -> Json:
    """A list that holds this item."""
    return {"items": [item]}
