"""What the global database knows of a client besides the client itself: its people and its keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from global_db.connection import ReadConnection
from global_db.statement import read
from global_db.tables import api_keys, roles, user_roles, users

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Person:
    """A user who holds roles on a client, deleted or not; `email` and `mobile` are ciphertext."""

    id: UUID
    email: bytes
    mobile: bytes | None
    is_active: bool
    created_at: datetime
    deleted_at: datetime | None
    roles: list[str]


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """An API key of a client, without the hash of its secret."""

    id: UUID
    name: str
    scopes: list[str]
    created_by: UUID
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


_CLIENT = sa.bindparam("client_id", type_=sa.Uuid)
_AFTER = sa.bindparam("after", type_=sa.Uuid)
_PEOPLE = read(
    sa.select(
        *(users.c[name] for name in Person.__slots__ if name != "roles"),
        sa.func.array_agg(aggregate_order_by(roles.c.name, roles.c.name)).label("roles"),
    )
    .join(user_roles, user_roles.c.user_id == users.c.id)
    .join(roles, roles.c.id == user_roles.c.role_id)
    .where(user_roles.c.client_id == _CLIENT, users.c.id > _AFTER)
    .group_by(users.c.id)
    .order_by(users.c.id)
    .limit(_PAGE)
)
_KEYS = read(
    sa.select(*(api_keys.c[name] for name in IssuedKey.__slots__))
    .where(api_keys.c.client_id == _CLIENT, api_keys.c.id > _AFTER)
    .order_by(api_keys.c.id)
    .limit(_PAGE)
)


async def people(connection: ReadConnection, client_id: UUID, after: UUID) -> list[Person]:
    """A page of those who hold roles on the client, by id, from behind `after`."""
    rows = await connection.all(_PEOPLE, client_id=client_id, after=after)
    return [Person(**row) for row in rows]


async def issued_keys(connection: ReadConnection, client_id: UUID, after: UUID) -> list[IssuedKey]:
    """A page of the client's API keys, by id, from behind `after`."""
    return [
        IssuedKey(**row) for row in await connection.all(_KEYS, client_id=client_id, after=after)
    ]
