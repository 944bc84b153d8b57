"""Use cases on roles: the built-in ones never change, custom ones are made here.

Nobody can make or change a role into more than they hold themselves: a role is a way to give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from global_db import roles
from global_db.connection import WriteConnection
from global_db.roles import NameTaken, Role, RoleInUse
from services.access.admission import GlobalAccess
from services.audit import Event, record_global
from services.errors import Conflict, Forbidden, InvalidRequest, NotFound
from services.failures import global_failures
from services.idempotency import key_for, once_in_global
from services.identity.principal import Principal
from services.ids import new_id
from services.resources import Data

__all__ = ["NewRole", "Permission", "Role", "RolePatch", "create", "delete", "get", "update"]

_ROLE: TypeAdapter[Role] = TypeAdapter(Role)


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission by name."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class NewRole:
    """A custom role to make."""

    name: str
    description: str
    permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RolePatch:
    """What to change; None leaves as it is."""

    description: str | None = None
    permissions: tuple[str, ...] | None = None
    mfa_required: bool | None = None


async def list_all(data: Data, access: GlobalAccess) -> list[Role]:
    """Every role, by name; there are never many."""
    with global_failures():
        async with data.global_db.read() as connection:
            return await roles.all_roles(connection)


async def list_permissions(data: Data, access: GlobalAccess) -> list[Permission]:
    """Every permission, by name."""
    with global_failures():
        async with data.global_db.read() as connection:
            return [Permission(**row) for row in await roles.all_permissions(connection)]


async def get(data: Data, access: GlobalAccess, role_id: UUID) -> Role:
    """One role.

    Raises:
        NotFound.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            role = await roles.get(connection, role_id)
    if role is None:
        raise NotFound
    return role


async def create(data: Data, access: GlobalAccess, new: NewRole, key: str | None = None) -> Role:
    """Make a custom role.

    Raises:
        Conflict: the name is taken. InvalidRequest: an unknown permission. Forbidden: a permission
        that the caller does not hold on all clients.
    """
    _demand_held(access.caller.principal, new.permissions)
    asked = [new.name, new.description, sorted(new.permissions)]
    once = key_for(access.caller.principal, key, "create_role", asked)

    with global_failures():
        async with data.global_db.write() as connection:

            async def effect() -> Role:
                await _demand_known(connection, new.permissions)
                role_id = new_id()
                try:
                    await roles.insert(connection, role_id, new.name, new.description)
                except NameTaken as error:
                    raise Conflict(f"A role {new.name} exists: choose another name.") from error
                await roles.set_permissions(connection, role_id, new.permissions)
                return await _recorded(connection, access, "role.create", role_id, None)

            role, _ = await once_in_global(connection, once, _ROLE, effect)
    return role


async def update(data: Data, access: GlobalAccess, role_id: UUID, patch: RolePatch) -> Role:
    """Change a role; its holders feel it within the principals' lease.

    Of a built-in one only `mfa_required` can change.

    Raises:
        NotFound; Conflict: it is built in; Forbidden, InvalidRequest.
    """
    only_mfa = patch.description is None and patch.permissions is None
    with global_failures():
        async with data.global_db.write() as connection:
            before = await (_lock if only_mfa else _lock_custom)(connection, role_id)
            _demand_held(access.caller.principal, (*before.permissions, *(patch.permissions or ())))
            if _changes_nothing(before, patch):
                return before
            if patch.mfa_required is not None:
                await roles.demand_mfa(connection, role_id, demanded=patch.mfa_required)
            if patch.description is not None:
                await roles.describe(connection, role_id, patch.description)
            if patch.permissions is not None:
                await _demand_known(connection, patch.permissions)
                await roles.set_permissions(connection, role_id, patch.permissions)
            return await _recorded(connection, access, "role.update", role_id, before)


async def delete(data: Data, access: GlobalAccess, role_id: UUID) -> None:
    """Remove a custom role.

    Raises:
        NotFound; Forbidden: it holds more than the caller does. Conflict: it is built in, or
            somebody holds it.
    """
    with global_failures():
        async with data.global_db.write() as connection:
            before = await _lock_custom(connection, role_id)
            _demand_held(access.caller.principal, before.permissions)
            event = Event("role.delete", "role", role_id, image(before), None)
            await record_global(connection, access.caller, event)
            try:
                await roles.delete(connection, role_id)
            except RoleInUse as error:
                raise Conflict("Users hold this role: take it from them first.") from error


def _changes_nothing(before: Role, patch: RolePatch) -> bool:
    return (
        patch.description in (None, before.description)
        and patch.mfa_required in (None, before.mfa_required)
        and (patch.permissions is None or set(patch.permissions) == set(before.permissions))
    )


def image(role: Role) -> dict[str, Any]:
    """What the audit log keeps of a role."""
    return {
        "name": role.name,
        "description": role.description,
        "permissions": role.permissions,
        "mfa_required": role.mfa_required,
    }


async def _lock(connection: WriteConnection, role_id: UUID) -> Role:
    role = await roles.lock(connection, role_id)
    if role is None:
        raise NotFound
    return role


async def _lock_custom(connection: WriteConnection, role_id: UUID) -> Role:
    role = await _lock(connection, role_id)
    if role.built_in:
        raise Conflict(f"The role {role.name} is built in and never changes.")
    return role


async def _recorded(
    connection: WriteConnection,
    access: GlobalAccess,
    action: str,
    role_id: UUID,
    before: Role | None,
) -> Role:
    after = await roles.get(connection, role_id)
    if after is None:
        raise NotFound
    event = Event(action, "role", role_id, None if before is None else image(before), image(after))
    await record_global(connection, access.caller, event)
    return after


def _demand_held(principal: Principal, names: Sequence[str]) -> None:
    beyond = sorted(name for name in set(names) if not principal.may(name, None))
    if beyond:
        raise Forbidden(f"You cannot give or take what you do not have: {', '.join(beyond)}.")


async def _demand_known(connection: WriteConnection, names: Sequence[str]) -> None:
    known = {row["name"] for row in await roles.all_permissions(connection)}
    for place, name in enumerate(names):
        if name not in known:
            raise InvalidRequest.at(f"/permissions/{place}", "is not a permission")
