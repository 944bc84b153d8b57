"""Roles and their permissions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from global_db.connection import ReadConnection, Row, WriteConnection
from global_db.statement import read, write
from global_db.tables import permissions, role_permissions, roles


class NameTaken(Exception):
    """A role has this name."""


class RoleInUse(Exception):
    """Somebody holds the role."""


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of permissions; those of built-in ones never change.

    `mfa_required`: who holds it may do nothing before a second factor is set up.
    """

    id: UUID
    name: str
    description: str
    built_in: bool
    created_at: datetime
    mfa_required: bool
    permissions: list[str]


_held_permissions = (
    sa.select(sa.func.array_agg(sa.text("permission ORDER BY permission")))
    .where(role_permissions.c.role_id == roles.c.id)
    .scalar_subquery()
)
_SHOWN = (
    roles,
    sa.func.coalesce(_held_permissions, sa.cast(sa.text("'{}'"), ARRAY(sa.Text))).label(
        "permissions"
    ),
)
_ALL = read(sa.select(*_SHOWN).order_by(roles.c.name))
_GET = read(sa.select(*_SHOWN).where(roles.c.id == sa.bindparam("id", type_=sa.Uuid)))
_BY_NAME = read(sa.select(*_SHOWN).where(roles.c.name == sa.bindparam("name")))
_LOCK = write(
    sa.select(roles.c.id).where(roles.c.id == sa.bindparam("id", type_=sa.Uuid)).with_for_update()
)
_INSERT = write(
    sa.insert(roles)
    .values({name: sa.bindparam(name) for name in ("id", "name", "description")})
    .returning(roles.c.id)
)
_DESCRIBE = write(
    sa.update(roles)
    .where(roles.c.id == sa.bindparam("role_id", type_=sa.Uuid))
    .values(description=sa.bindparam("new_description"))
)
_DEMAND_MFA = write(
    sa.update(roles)
    .where(roles.c.id == sa.bindparam("role_id", type_=sa.Uuid))
    .values(mfa_required=sa.bindparam("demanded", type_=sa.Boolean))
)
_DELETE = write(
    sa.delete(roles)
    .where(roles.c.id == sa.bindparam("role_id", type_=sa.Uuid), ~roles.c.built_in)
    .returning(roles.c.id)
)
_TAKE_ALL = write(
    sa.delete(role_permissions).where(
        role_permissions.c.role_id == sa.bindparam("own_role_id", type_=sa.Uuid)
    )
)
_GIVE = write(
    sa.insert(role_permissions).from_select(
        ["role_id", "permission"],
        sa.select(
            sa.bindparam("own_role_id", type_=sa.Uuid),
            sa.func.unnest(sa.bindparam("names", type_=ARRAY(sa.Text))),
        ),
    )
)
_PERMISSIONS = read(sa.select(permissions).order_by(permissions.c.name))


async def all_roles(connection: ReadConnection) -> list[Role]:
    """Every role, by name."""
    return [Role(**row) for row in await connection.all(_ALL)]


async def get(connection: ReadConnection, role_id: UUID) -> Role | None:
    """One role."""
    return _role(await connection.one(_GET, id=role_id))


async def by_name(connection: ReadConnection, name: str) -> Role | None:
    """One role by its name."""
    return _role(await connection.one(_BY_NAME, name=name))


async def lock(connection: WriteConnection, role_id: UUID) -> Role | None:
    """One role, locked until the transaction ends."""
    if await connection.returning(_LOCK, id=role_id) is None:
        return None
    return await get(connection, role_id)


async def insert(connection: WriteConnection, role_id: UUID, name: str, description: str) -> None:
    """Add a custom role without permissions.

    Raises:
        NameTaken.
    """
    try:
        await connection.returning(_INSERT, id=role_id, name=name, description=description)
    except psycopg.errors.UniqueViolation as error:
        raise NameTaken(name) from error


async def describe(connection: WriteConnection, role_id: UUID, description: str) -> None:
    """Change a role's description."""
    await connection.send(_DESCRIBE, role_id=role_id, new_description=description)


async def demand_mfa(connection: WriteConnection, role_id: UUID, *, demanded: bool) -> None:
    """Say whether holders of a role need a second factor."""
    await connection.send(_DEMAND_MFA, role_id=role_id, demanded=demanded)


async def set_permissions(connection: WriteConnection, role_id: UUID, names: Sequence[str]) -> None:
    """Replace a role's permissions."""
    await connection.send(_TAKE_ALL, own_role_id=role_id)
    await connection.send(_GIVE, own_role_id=role_id, names=list(names))


async def delete(connection: WriteConnection, role_id: UUID) -> bool:
    """Remove a custom role that nobody holds; False when there is none.

    Raises:
        RoleInUse.
    """
    try:
        return await connection.returning(_DELETE, role_id=role_id) is not None
    except psycopg.errors.ForeignKeyViolation as error:
        raise RoleInUse from error


async def all_permissions(connection: ReadConnection) -> list[Row]:
    """Every permission: name and description."""
    return await connection.all(_PERMISSIONS)


def _role(row: Row | None) -> Role | None:
    return None if row is None else Role(**row)
