"""Use cases on grants: giving a user a role, on one client or on all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from global_db import grants, roles, users
from global_db.connection import ReadConnection, WriteConnection
from global_db.grants import AlreadyGranted, HeldRole
from global_db.roles import Role
from services.access.admission import GlobalAccess
from services.administration.last_admin import an_admin_remains
from services.audit import Event, record_global
from services.errors import Conflict, Forbidden, InvalidRequest, NotFound
from services.failures import global_failures
from services.identity.principal import Principal
from services.ids import new_id
from services.resources import Resources

__all__ = ["HeldRole", "NewGrant", "give", "list_of", "take"]


@dataclass(frozen=True, slots=True)
class NewGrant:
    """A role to give by its name; `client_id` None means on all clients."""

    role: str
    client_id: UUID | None = None


async def list_of(resources: Resources, access: GlobalAccess, user_id: UUID) -> list[HeldRole]:
    """What a user holds, oldest first.

    Raises:
        NotFound: there is no such user.
    """
    with global_failures():
        async with resources.data.global_db.read() as connection:
            await _demand_user(connection, user_id)
            return await grants.held_by(connection, user_id)


async def give(
    resources: Resources, access: GlobalAccess, user_id: UUID, new: NewGrant
) -> HeldRole:
    """Give a role; the user feels it within the principals' lease.

    Raises:
        NotFound: there is no such user. InvalidRequest: no such role, or no such client.
        Forbidden: the role holds more than the caller does. Conflict: held already.
    """
    with global_failures():
        async with resources.data.global_db.write() as connection:
            await _demand_user(connection, user_id)
            role = await _role(connection, access.caller.principal, new)
            given = await _insert(connection, access, user_id, role, new)
            event = Event("role.grant", "user", user_id, None, _image(given))
            await record_global(connection, access.caller, event, new.client_id)
    resources.forget_user(user_id)
    return given


async def take(resources: Resources, access: GlobalAccess, user_id: UUID, grant_id: UUID) -> None:
    """Take a role from a user.

    Raises:
        NotFound; LastAdmin: nobody would be left to administer. Forbidden: the role holds more
            than the caller does.
    """
    with global_failures():
        async with (
            resources.data.global_db.write() as connection,
            an_admin_remains(connection),
        ):
            held = await grants.held(connection, user_id, grant_id)
            if held is None:
                raise NotFound
            role = await roles.by_name(connection, held.role)
            if role is not None:
                _demand_held(access.caller.principal, role, held.client_id)
            await grants.remove(connection, user_id, grant_id)
            event = Event("role.revoke", "user", user_id, _image(held), None)
            await record_global(connection, access.caller, event, held.client_id)
    resources.forget_user(user_id)


async def _demand_user(connection: ReadConnection, user_id: UUID) -> None:
    user = await users.get(connection, user_id)
    if user is None or user.deleted_at is not None:
        raise NotFound


async def _role(connection: ReadConnection, giver: Principal, new: NewGrant) -> Role:
    role = await roles.by_name(connection, new.role)
    if role is None:
        raise InvalidRequest.at("/role", "is not a role")
    _demand_held(giver, role, new.client_id)
    if new.client_id is not None and not await grants.client_lives(connection, new.client_id):
        raise InvalidRequest.at("/client_id", "is not a client")
    return role


def _demand_held(principal: Principal, role: Role, client_id: UUID | None) -> None:
    beyond = [name for name in role.permissions if not principal.may(name, client_id)]
    if beyond:
        raise Forbidden(f"You cannot give or take what you do not have: {', '.join(beyond)}.")


async def _insert(
    connection: WriteConnection,
    access: GlobalAccess,
    user_id: UUID,
    role: Role,
    new: NewGrant,
) -> HeldRole:
    grant_id = new_id()
    giver = access.caller.principal.user_id
    try:
        await grants.insert(
            connection, grants.NewGrant(grant_id, user_id, role.id, new.client_id, giver)
        )
    except AlreadyGranted as error:
        raise Conflict("The user holds this role there already.") from error
    held = await grants.held(connection, user_id, grant_id)
    if held is None:
        raise NotFound
    return held


def _image(held: HeldRole) -> dict[str, Any]:
    return {"role": held.role, "client_id": held.client_id}
