"""What proves that a person is who they say: password, second factor, recovery codes.

Whoever changes these, or the sessions that were opened by them, holds the user's row (`lock`): so
a login, a rotation, a logout and a changed password of one user never overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from uuid import UUID

import sqlalchemy as sa

from global_db.columns import living
from global_db.connection import ReadConnection, WriteConnection
from global_db.session_tables import recovery_codes
from global_db.statement import read, write
from global_db.tables import users


@dataclass(frozen=True, slots=True)
class Account:
    """A living user as a login sees it. `mfa_secret`: the second factor in force, sealed."""

    id: UUID
    email: bytes
    email_index: bytes
    password_hash: str | None
    mfa_secret: bytes | None
    mfa_pending: bytes | None
    is_active: bool


_COLUMNS = tuple(users.c[field.name] for field in fields(Account))
_USER_ID = sa.bindparam("user_id", type_=sa.Uuid)
_ONE = sa.select(*_COLUMNS).where(users.c.id == _USER_ID, living(users))
_BY_EMAIL = read(
    sa.select(*_COLUMNS).where(users.c.email_index == sa.bindparam("email_index"), living(users))
)
_BY_ID = read(_ONE)
_LOCK = write(_ONE.with_for_update(key_share=True))


def _change(**values: object) -> sa.Update:
    return sa.update(users).where(users.c.id == _USER_ID).values(values)


_SET_PASSWORD = write(
    _change(password_hash=sa.bindparam("password_hash"), updated_at=sa.func.now())
)
_SET_PENDING = write(_change(mfa_pending=sa.bindparam("mfa_pending")))
_SET_SECOND_FACTOR = write(
    _change(
        mfa_secret=sa.bindparam("mfa_secret"),
        mfa_pending=None,
        mfa_last_step=sa.bindparam("mfa_last_step", type_=sa.BigInteger),
        updated_at=sa.func.now(),
    )
)
_ACCEPT_STEP = write(
    _change(mfa_last_step=sa.bindparam("mfa_last_step", type_=sa.BigInteger))
    .where(
        sa.func.coalesce(users.c.mfa_last_step, -1)
        < sa.bindparam("newer_than", type_=sa.BigInteger)
    )
    .returning(users.c.id)
)
_FORGET_CODES = write(sa.delete(recovery_codes).where(recovery_codes.c.user_id == _USER_ID))
_ADD_CODE = write(
    sa.insert(recovery_codes).values(
        user_id=sa.bindparam("user_id", type_=sa.Uuid), code_hash=sa.bindparam("code_hash")
    )
)
_USE_CODE = write(
    sa.update(recovery_codes)
    .where(
        recovery_codes.c.user_id == _USER_ID,
        recovery_codes.c.code_hash == sa.bindparam("given_hash"),
        recovery_codes.c.used_at.is_(None),
    )
    .values(used_at=sa.func.now())
    .returning(recovery_codes.c.user_id)
)


async def by_email(connection: ReadConnection, email_index: bytes) -> Account | None:
    """The living user with this e-mail address."""
    row = await connection.one(_BY_EMAIL, email_index=email_index)
    return None if row is None else Account(**row)


async def get(connection: ReadConnection, user_id: UUID) -> Account | None:
    """The living user."""
    row = await connection.one(_BY_ID, user_id=user_id)
    return None if row is None else Account(**row)


async def lock(connection: WriteConnection, user_id: UUID) -> Account | None:
    """The living user, held until the transaction ends."""
    row = await connection.returning(_LOCK, user_id=user_id)
    return None if row is None else Account(**row)


async def set_password(connection: WriteConnection, user_id: UUID, password_hash: str) -> None:
    """Replace a user's password hash."""
    await connection.send(_SET_PASSWORD, user_id=user_id, password_hash=password_hash)


async def set_pending(connection: WriteConnection, user_id: UUID, sealed: bytes) -> None:
    """Keep a secret that its owner has not confirmed yet, in place of any earlier one."""
    await connection.send(_SET_PENDING, user_id=user_id, mfa_pending=sealed)


async def enable_second_factor(
    connection: WriteConnection, user_id: UUID, sealed: bytes, step: int
) -> None:
    """Put a secret in force; `step` is that of the code which confirmed it."""
    await connection.send(
        _SET_SECOND_FACTOR, user_id=user_id, mfa_secret=sealed, mfa_last_step=step
    )


async def disable_second_factor(connection: WriteConnection, user_id: UUID) -> None:
    """Remove the second factor and its recovery codes."""
    await connection.send(_SET_SECOND_FACTOR, user_id=user_id, mfa_secret=None, mfa_last_step=None)
    await connection.send(_FORGET_CODES, user_id=user_id)


async def accept_step(connection: WriteConnection, user_id: UUID, step: int) -> bool:
    """Note that the code of this time step was used; False when it, or a later one, was before."""
    row = await connection.returning(
        _ACCEPT_STEP, user_id=user_id, mfa_last_step=step, newer_than=step
    )
    return row is not None


async def replace_recovery_codes(
    connection: WriteConnection, user_id: UUID, hashes: Sequence[bytes]
) -> None:
    """Forget a user's codes and keep these hashes."""
    await connection.send(_FORGET_CODES, user_id=user_id)
    for code_hash in hashes:
        await connection.send(_ADD_CODE, user_id=user_id, code_hash=code_hash)


async def use_recovery_code(connection: WriteConnection, user_id: UUID, code_hash: bytes) -> bool:
    """Use a code up; False when the user has no such unused one."""
    row = await connection.returning(_USE_CODE, user_id=user_id, given_hash=code_hash)
    return row is not None
