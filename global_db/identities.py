"""Users with their grants."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert

from global_db.connection import ReadConnection, WriteConnection
from global_db.statement import read, write
from global_db.tables import role_permissions, roles, user_roles, users


class EmailTaken(Exception):
    """A living user has this e-mail address."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role given to a user, on one client or (None) on all of them, with its permissions."""

    role: str
    client_id: UUID | None
    permissions: frozenset[str]


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to add; `email` is ciphertext, `email_index` its blind index."""

    id: UUID
    email: bytes
    email_index: bytes
    password_hash: str | None


_GRANTS = read(
    sa.select(
        roles.c.name.label("role"),
        user_roles.c.client_id,
        sa.func.array_agg(
            aggregate_order_by(role_permissions.c.permission, role_permissions.c.permission)
        ).label("permissions"),
    )
    .join(roles, roles.c.id == user_roles.c.role_id)
    .join(role_permissions, role_permissions.c.role_id == roles.c.id)
    .where(user_roles.c.user_id == sa.bindparam("user_id", type_=sa.Uuid))
    .group_by(roles.c.name, user_roles.c.client_id)
    .order_by(roles.c.name, user_roles.c.client_id)
)
_INSERT = write(
    sa.insert(users)
    .values({name: sa.bindparam(name) for name in NewUser.__slots__})
    .returning(users.c.id)
)
_GRANT = write(
    insert(user_roles)
    .from_select(
        ["id", "user_id", "role_id", "client_id"],
        sa.select(
            sa.bindparam("id", type_=sa.Uuid),
            sa.bindparam("user_id", type_=sa.Uuid),
            roles.c.id,
            sa.bindparam("client_id", type_=sa.Uuid),
        ).where(roles.c.name == sa.bindparam("role")),
    )
    .on_conflict_do_nothing()
)


async def grants(connection: ReadConnection, user_id: UUID) -> tuple[Grant, ...]:
    """Every role of a user with its permissions."""
    rows = await connection.all(_GRANTS, user_id=user_id)
    return tuple(
        Grant(row["role"], row["client_id"], frozenset(row["permissions"])) for row in rows
    )


async def insert_user(connection: WriteConnection, user: NewUser) -> None:
    """Add a user.

    Raises:
        EmailTaken: a living user has the address.
    """
    try:
        await connection.returning(
            _INSERT, **{name: getattr(user, name) for name in NewUser.__slots__}
        )
    except psycopg.errors.UniqueViolation as error:
        raise EmailTaken from error


async def grant(
    connection: WriteConnection, *, id: UUID, user_id: UUID, role: str, client_id: UUID | None
) -> None:
    """Give a role; giving it twice changes nothing."""
    await connection.send(_GRANT, id=id, user_id=user_id, role=role, client_id=client_id)
