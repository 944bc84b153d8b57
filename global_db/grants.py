"""Who holds which role, on one client or on all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
import sqlalchemy as sa

from global_db.columns import living
from global_db.connection import ReadConnection, WriteConnection
from global_db.statement import read, write
from global_db.tables import clients, roles, user_roles, users


class AlreadyGranted(Exception):
    """The user holds the role there already."""


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role that a user holds, on one client or (None) on all."""

    id: UUID
    user_id: UUID
    role: str
    client_id: UUID | None
    granted_by: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewGrant:
    """A role to give; `granted_by` is the user who gives it."""

    id: UUID
    user_id: UUID
    role_id: UUID
    client_id: UUID | None
    granted_by: UUID


_HELD = sa.select(
    user_roles.c.id,
    user_roles.c.user_id,
    roles.c.name.label("role"),
    user_roles.c.client_id,
    user_roles.c.granted_by,
    user_roles.c.created_at,
).join(roles, roles.c.id == user_roles.c.role_id)
_HELD_BY = read(
    _HELD.where(user_roles.c.user_id == sa.bindparam("user_id", type_=sa.Uuid)).order_by(
        user_roles.c.id
    )
)
_HELD_ONE = read(
    _HELD.where(
        user_roles.c.user_id == sa.bindparam("user_id", type_=sa.Uuid),
        user_roles.c.id == sa.bindparam("grant_id", type_=sa.Uuid),
    )
)
_GRANT = write(
    sa.insert(user_roles)
    .values({name: sa.bindparam(name) for name in NewGrant.__slots__})
    .returning(user_roles.c.id)
)
_TAKE = write(
    sa.delete(user_roles)
    .where(
        user_roles.c.user_id == sa.bindparam("user_id", type_=sa.Uuid),
        user_roles.c.id == sa.bindparam("grant_id", type_=sa.Uuid),
    )
    .returning(user_roles.c.id)
)
_CLIENT_LIVES = read(
    sa.select(clients.c.id).where(
        clients.c.id == sa.bindparam("client_id", type_=sa.Uuid), living(clients)
    )
)
_LOCK_ADMIN = write(sa.select(roles.c.id).where(roles.c.name == "admin").with_for_update())
_ADMIN_LEFT = write(
    sa.select(users.c.id)
    .join(user_roles, user_roles.c.user_id == users.c.id)
    .join(roles, roles.c.id == user_roles.c.role_id)
    .where(
        roles.c.name == "admin",
        user_roles.c.client_id.is_(None),
        users.c.is_active,
        living(users),
    )
    .limit(1)
)


async def held_by(connection: ReadConnection, user_id: UUID) -> list[HeldRole]:
    """What a user holds, oldest first."""
    return [HeldRole(**row) for row in await connection.all(_HELD_BY, user_id=user_id)]


async def held(connection: ReadConnection, user_id: UUID, grant_id: UUID) -> HeldRole | None:
    """One role that a user holds."""
    row = await connection.one(_HELD_ONE, user_id=user_id, grant_id=grant_id)
    return None if row is None else HeldRole(**row)


async def insert(connection: WriteConnection, new: NewGrant) -> None:
    """Give a role.

    Raises:
        AlreadyGranted.
    """
    values = {name: getattr(new, name) for name in NewGrant.__slots__}
    try:
        await connection.returning(_GRANT, **values)
    except psycopg.errors.UniqueViolation as error:
        raise AlreadyGranted from error


async def remove(connection: WriteConnection, user_id: UUID, grant_id: UUID) -> None:
    """Take a role from a user."""
    await connection.returning(_TAKE, user_id=user_id, grant_id=grant_id)


async def client_lives(connection: ReadConnection, client_id: UUID) -> bool:
    """Whether there is such a living client."""
    return await connection.one(_CLIENT_LIVES, client_id=client_id) is not None


async def lock_admins(connection: WriteConnection) -> None:
    """Let one transaction at a time change who is an administrator.

    Two administrators who remove each other would otherwise both see the other one remain.
    """
    await connection.returning(_LOCK_ADMIN)


async def an_admin_remains(connection: WriteConnection) -> bool:
    """Whether, as this transaction sees it, some active user is a global administrator."""
    return await connection.returning(_ADMIN_LEFT) is not None
