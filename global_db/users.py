"""Users as the administrators see them; addresses are ciphertext here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

import psycopg
import sqlalchemy as sa

from global_db.columns import living
from global_db.connection import ReadConnection, Row, WriteConnection
from global_db.identities import EmailTaken
from global_db.soft_delete import soft_delete
from global_db.statement import ReadStatement, read, write
from global_db.tables import users


class MobileTaken(Exception):
    """A living user has this telephone number."""


@dataclass(frozen=True, slots=True)
class User:
    """One row of users without its secrets. `email` and `mobile` are ciphertext, the indexes are
    keyed hashes; `mfa` says whether a second factor is set up."""

    id: UUID
    email: bytes
    email_index: bytes
    mobile: bytes | None
    mobile_index: bytes | None
    is_active: bool
    mfa: bool
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which users a list holds; None means any."""

    email_index: bytes | None = None
    is_active: bool | None = None
    deleted: bool = False


_PLAIN = tuple(name for name in User.__slots__ if name != "mfa")
_COLUMNS = (*(users.c[name] for name in _PLAIN), users.c.mfa_secret.is_not(None).label("mfa"))
_GET = read(sa.select(*_COLUMNS).where(users.c.id == sa.bindparam("id", type_=sa.Uuid)))
_LOCK = write(
    sa.select(*_COLUMNS)
    .where(users.c.id == sa.bindparam("id", type_=sa.Uuid), living(users))
    .with_for_update()
)
_CHANGING = ("email", "email_index", "mobile", "mobile_index", "is_active")
_UPDATE = write(
    sa.update(users)
    .where(users.c.id == sa.bindparam("user_id", type_=sa.Uuid))
    .values({name: sa.bindparam(name) for name in _CHANGING} | {"updated_at": sa.func.now()})
    .returning(*_COLUMNS)
)
_NEW = ("id", *_CHANGING, "password_hash")
_INSERT = write(
    sa.insert(users).values({name: sa.bindparam(name) for name in _NEW}).returning(*_COLUMNS)
)
_SOFT = soft_delete(users)


async def get(connection: ReadConnection, user_id: UUID) -> User | None:
    """One user, deleted or not."""
    return _user(await connection.one(_GET, id=user_id))


async def lock(connection: WriteConnection, user_id: UUID) -> User | None:
    """One living user, locked until the transaction ends."""
    return _user(await connection.returning(_LOCK, id=user_id))


async def insert(connection: WriteConnection, user: User, password_hash: str | None) -> User:
    """Add a user; times come from the database.

    Raises:
        EmailTaken, MobileTaken: a living user has it.
    """
    values = {name: getattr(user, name) for name in ("id", *_CHANGING)}
    with _taken():
        row = await connection.returning(_INSERT, **values, password_hash=password_hash)
    return _stored(row)


async def update(connection: WriteConnection, user: User) -> User:
    """Store a changed user, locked before in this transaction.

    Raises:
        EmailTaken, MobileTaken: another living user has it.
    """
    values = {name: getattr(user, name) for name in _CHANGING}
    with _taken():
        return _stored(await connection.returning(_UPDATE, user_id=user.id, **values))


async def delete(connection: WriteConnection, user_id: UUID) -> bool:
    """Soft-delete a living user; False when there is none."""
    return await connection.returning(_SOFT.delete, row_id=user_id) is not None


async def restore(connection: WriteConnection, user_id: UUID) -> bool:
    """Take a soft delete back; False when there is no deleted user of this id.

    Raises:
        EmailTaken, MobileTaken: a living user has it by now.
    """
    with _taken():
        return await connection.returning(_SOFT.restore, row_id=user_id) is not None


async def newest(
    connection: ReadConnection, wanted: UserFilter, before: UUID | None, limit: int
) -> list[User]:
    """A page of users, newest first, from behind `before`."""
    statement = _page(
        wanted.deleted,
        wanted.email_index is not None,
        wanted.is_active,
        before is not None,
    )
    rows = await connection.all(
        statement,
        email_index=wanted.email_index,
        before=before,
        limit=limit,
    )
    return [User(**row) for row in rows]


@lru_cache(maxsize=32)
def _page(deleted: bool, by_email: bool, active: bool | None, further: bool) -> ReadStatement:
    query = sa.select(*_COLUMNS).where(~living(users) if deleted else living(users))
    if by_email:
        query = query.where(users.c.email_index == sa.bindparam("email_index"))
    if active is not None:
        # Not a parameter: a prepared plan could not use the partial index of the active then.
        query = query.where(users.c.is_active if active else ~users.c.is_active)
    if further:
        query = query.where(users.c.id < sa.bindparam("before", type_=sa.Uuid))
    return read(query.order_by(users.c.id.desc()).limit(sa.bindparam("limit", type_=sa.Integer)))


@contextmanager
def _taken() -> Iterator[None]:
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        if error.diag.constraint_name == "idx_users_mobile_unique":
            raise MobileTaken from error
        raise EmailTaken from error


def _user(row: Row | None) -> User | None:
    return None if row is None else User(**row)


def _stored(row: Row | None) -> User:
    if row is None:
        raise LookupError("the user is gone")
    return User(**row)
