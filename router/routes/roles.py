"""Roles and permissions; for administrators."""

from typing import Final

from starlette.responses import Response

from router import headers
from router.answers import Answer
from router.api import Api, Doc
from router.call import Call
from router.models import people_examples as examples
from router.models.people import PermissionList, RoleGiven, RoleList, RolePatch, RoleShown
from router.parameters import IdempotencyKey, RoleId
from router.routes.replies import LOCATION, UNAVAILABLE
from router.security import Everywhere
from services.administration import roles
from services.administration.roles import Permission, Role

api = Api("Roles")

ROLES: Final = "/v1/roles"
ROLE: Final = f"{ROLES}/{{role_id}}"
_ONE: Final = Answer(200, "The role.", RoleShown, examples.ROLE)


@api.route(
    "GET",
    ROLES,
    Everywhere("user:read"),
    Doc((Answer(200, "By name.", RoleList, examples.items(examples.ROLE)),)),
)
async def list_roles(call: Call) -> dict[str, list[Role]]:
    """List every role."""
    return {"items": await roles.list_all(call.resources.data, call.everywhere)}


@api.route(
    "GET",
    "/v1/permissions",
    Everywhere("user:read"),
    Doc((Answer(200, "By name.", PermissionList, examples.items(examples.PERMISSION)),)),
)
async def list_permissions(call: Call) -> dict[str, list[Permission]]:
    """List every permission."""
    return {"items": await roles.list_permissions(call.resources.data, call.everywhere)}


@api.route(
    "POST",
    ROLES,
    Everywhere("role:edit"),
    Doc(
        (Answer(201, "The new role.", RoleShown, examples.ROLE, headers=LOCATION),),
        refusals=(*UNAVAILABLE, "conflict", "idempotency_mismatch", "idempotency_in_progress"),
    ),
)
async def create_role(call: Call, body: RoleGiven, idempotency_key: IdempotencyKey = None) -> Role:
    """Make a custom role; it can hold no more than its maker does."""
    new = roles.NewRole(body.name, body.description, tuple(body.permissions))
    key = headers.idempotency_key(idempotency_key)
    role = await roles.create(call.resources.data, call.everywhere, new, key)
    call.context.answer_with("Location", f"{ROLES}/{role.id}")
    return role


@api.route("GET", ROLE, Everywhere("user:read"), Doc((_ONE,), refusals=("not_found",)))
async def get_role(call: Call, role_id: RoleId) -> Role:
    """Read a role."""
    return await roles.get(call.resources.data, call.everywhere, role_id)


@api.route(
    "PATCH",
    ROLE,
    Everywhere("role:edit"),
    Doc((_ONE,), refusals=(*UNAVAILABLE, "not_found", "conflict")),
)
async def update_role(call: Call, role_id: RoleId, body: RolePatch) -> Role:
    """Change a role; its holders feel it within seconds.

    Of a built-in one only `mfa_required` can change.
    """
    permissions = None if body.permissions is None else tuple(body.permissions)
    patch = roles.RolePatch(body.description, permissions, body.mfa_required)
    return await roles.update(call.resources.data, call.everywhere, role_id, patch)


@api.route(
    "DELETE",
    ROLE,
    Everywhere("role:edit"),
    Doc((Answer(204, "Gone."),), refusals=(*UNAVAILABLE, "not_found", "conflict")),
)
async def delete_role(call: Call, role_id: RoleId) -> Response:
    """Remove a custom role that nobody holds."""
    await roles.delete(call.resources.data, call.everywhere, role_id)
    return Response(status_code=204)
