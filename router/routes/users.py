"""Users and what they hold; for administrators."""

from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response

from router import headers
from router.answers import Answer
from router.api import Api, Doc
from router.call import Call
from router.models import people_examples as examples
from router.models.examples import page
from router.models.people import (
    GrantGiven,
    HeldRoleList,
    HeldRoleShown,
    UserGiven,
    UserPage,
    UserPatch,
    UserQuery,
    UserShown,
)
from router.parameters import GrantId, IdempotencyKey, UserId
from router.routes.replies import LINK, LOCATION, UNAVAILABLE, linked
from router.security import Everywhere
from services.administration import grants, users
from services.administration.grants import HeldRole
from services.administration.users import User
from services.pages import Page, PageRequest

api = Api("Users")

USERS: Final = "/v1/users"
USER: Final = f"{USERS}/{{user_id}}"
_ONE: Final = Answer(200, "The user.", UserShown, examples.USER)
_TAKEN: Final = ("email_taken", "mobile_taken")


@api.route(
    "GET",
    USERS,
    Everywhere("user:read"),
    Doc(
        (Answer(200, "Users, newest first.", UserPage, page(examples.USER), headers=LINK),),
        refusals=("invalid_cursor",),
    ),
)
async def list_users(call: Call, query: Annotated[UserQuery, Query()]) -> Page[User]:
    """List users, newest first."""
    wanted = users.UserQuery(query.email, query.is_active, query.deleted)
    request = PageRequest(query.limit, query.cursor)
    return linked(call, await users.list_newest(call.resources, call.everywhere, wanted, request))


@api.route(
    "POST",
    USERS,
    Everywhere("user:edit"),
    Doc(
        (Answer(201, "The new user.", UserShown, examples.USER, headers=LOCATION),),
        refusals=(*UNAVAILABLE, *_TAKEN, "idempotency_mismatch", "idempotency_in_progress"),
    ),
)
async def create_user(call: Call, body: UserGiven, idempotency_key: IdempotencyKey = None) -> User:
    """Add a user, who may do nothing until a role is given."""
    new = users.NewUser(body.email, body.mobile, body.password)
    key = headers.idempotency_key(idempotency_key)
    user = await users.create(call.resources, call.everywhere, new, key)
    call.context.answer_with("Location", f"{USERS}/{user.id}")
    return user


@api.route("GET", USER, Everywhere("user:read"), Doc((_ONE,), refusals=("not_found",)))
async def get_user(call: Call, user_id: UserId) -> User:
    """Read a user, deleted or not."""
    return await users.get(call.resources, call.everywhere, user_id)


@api.route(
    "PATCH",
    USER,
    Everywhere("user:edit"),
    Doc((_ONE,), refusals=(*UNAVAILABLE, *_TAKEN, "not_found", "last_admin")),
)
async def update_user(call: Call, user_id: UserId, body: UserPatch) -> User:
    """Change a user's address, number or activity."""
    given = frozenset(body.model_fields_set)
    patch = users.UserPatch(given, body.email, body.mobile, body.is_active)
    return await users.update(call.resources, call.everywhere, user_id, patch)


@api.route(
    "DELETE",
    USER,
    Everywhere("user:edit"),
    Doc((Answer(204, "Deleted softly."),), refusals=(*UNAVAILABLE, "not_found", "last_admin")),
)
async def delete_user(call: Call, user_id: UserId) -> Response:
    """Delete a user softly: out everywhere within seconds."""
    await users.delete(call.resources, call.everywhere, user_id)
    return Response(status_code=204)


@api.route(
    "POST",
    f"{USER}/restore",
    Everywhere("user:edit"),
    Doc((_ONE,), refusals=(*UNAVAILABLE, *_TAKEN, "not_found", "conflict")),
)
async def restore_user(call: Call, user_id: UserId) -> User:
    """Undo a soft delete."""
    return await users.restore(call.resources, call.everywhere, user_id)


@api.route(
    "GET",
    f"{USER}/roles",
    Everywhere("user:read"),
    Doc(
        (Answer(200, "What they hold.", HeldRoleList, examples.items(examples.HELD_ROLE)),),
        refusals=("not_found",),
    ),
)
async def list_user_roles(call: Call, user_id: UserId) -> dict[str, list[HeldRole]]:
    """List the roles that a user holds."""
    return {"items": await grants.list_of(call.resources, call.everywhere, user_id)}


@api.route(
    "POST",
    f"{USER}/roles",
    Everywhere("role:edit"),
    Doc(
        (Answer(201, "Held from now on.", HeldRoleShown, examples.HELD_ROLE),),
        refusals=(*UNAVAILABLE, "not_found", "conflict"),
    ),
)
async def grant_role(call: Call, user_id: UserId, body: GrantGiven) -> HeldRole:
    """Give a role, on one client or on all; no more than one holds oneself."""
    new = grants.NewGrant(body.role, body.client_id)
    return await grants.give(call.resources, call.everywhere, user_id, new)


@api.route(
    "DELETE",
    f"{USER}/roles/{{grant_id}}",
    Everywhere("role:edit"),
    Doc((Answer(204, "Taken."),), refusals=(*UNAVAILABLE, "not_found", "last_admin")),
)
async def revoke_role(call: Call, user_id: UserId, grant_id: GrantId) -> Response:
    """Take a role from a user."""
    await grants.take(call.resources, call.everywhere, user_id, grant_id)
    return Response(status_code=204)
