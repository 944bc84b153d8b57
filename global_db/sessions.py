"""Sessions: a family of refresh tokens that follow each other, of which the newest counts.

Statements that change a family are run by who holds its user's row (`accounts.lock`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

import sqlalchemy as sa

from global_db.columns import living
from global_db.connection import ReadConnection, WriteConnection
from global_db.session_tables import sessions
from global_db.statement import read, write
from global_db.tables import roles, user_roles, users


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """One row: a token of a family, by its hash. Times are the database's; the row was read at
    `looked_at`."""

    id: UUID
    family_id: UUID
    user_id: UUID
    refresh_hash: bytes
    logged_in_at: datetime
    expires_at: datetime
    replaced_at: datetime | None
    revoked_at: datetime | None
    looked_at: datetime


@dataclass(frozen=True, slots=True)
class NewRefreshToken:
    """A token to add: the first of a family, or the successor of the newest."""

    id: UUID
    family_id: UUID
    user_id: UUID
    refresh_hash: bytes
    ip_address: IPv4Address | IPv6Address | None


@dataclass(frozen=True, slots=True)
class Person:
    """Who has an unended session: an active, living user.

    `login_age`: seconds since the login. `must_enrol`: a role of theirs demands a second factor,
    and they have none.
    """

    user_id: UUID
    logged_in_at: datetime
    login_age: float
    must_enrol: bool


_STORED = (field.name for field in fields(RefreshToken) if field.name != "looked_at")
_COLUMNS = (
    *(sessions.c[name] for name in _STORED),
    sa.func.clock_timestamp().label("looked_at"),
)
_NEW: dict[str, sa.BindParameter[object]] = {
    field.name: sa.bindparam(field.name) for field in fields(NewRefreshToken)
}
_FAMILY = sessions.c.family_id == sa.bindparam("family", type_=sa.Uuid)
_NEWEST = sessions.c.replaced_at.is_(None)
_UNENDED = (_NEWEST, sessions.c.revoked_at.is_(None), sessions.c.expires_at > sa.func.now())
_DEMANDED = sa.exists().where(
    user_roles.c.user_id == users.c.id,
    roles.c.id == user_roles.c.role_id,
    roles.c.mfa_required,
)

_PERSON = read(
    sa.select(
        users.c.id.label("user_id"),
        sessions.c.logged_in_at,
        sa.cast(
            sa.extract("epoch", sa.func.clock_timestamp() - sessions.c.logged_in_at), sa.Double
        ).label("login_age"),
        (users.c.mfa_secret.is_(None) & _DEMANDED).label("must_enrol"),
    )
    .join(users, users.c.id == sessions.c.user_id)
    .where(_FAMILY, *_UNENDED, users.c.is_active, living(users))
)
_BY_HASH = read(sa.select(*_COLUMNS).where(sessions.c.refresh_hash == sa.bindparam("hash")))
_NEWEST_OF = read(sa.select(*_COLUMNS).where(_FAMILY, _NEWEST))
_START = write(
    sa.insert(sessions).values(
        **_NEW,
        logged_in_at=sa.func.now(),
        expires_at=sa.func.now() + sa.bindparam("lifetime", type_=sa.Interval),
    )
)
_REPLACE = write(
    sa.update(sessions)
    .where(sessions.c.id == sa.bindparam("old", type_=sa.Uuid))
    .values(replaced_at=sa.func.clock_timestamp())
)
_FOLLOW = write(
    sa.insert(sessions).values(
        **_NEW,
        logged_in_at=sa.bindparam("logged_in_at"),
        expires_at=sa.bindparam("expires_at"),
    )
)
_REVOKE = write(
    sa.update(sessions)
    .where(_FAMILY, _NEWEST, sessions.c.revoked_at.is_(None))
    .values(revoked_at=sa.func.now())
    .returning(sessions.c.family_id)
)
_REVOKE_OTHERS = write(
    sa.update(sessions)
    .where(
        sessions.c.user_id == sa.bindparam("owner", type_=sa.Uuid),
        _NEWEST,
        sessions.c.revoked_at.is_(None),
        sessions.c.family_id.is_distinct_from(sa.bindparam("kept", type_=sa.Uuid)),
    )
    .values(revoked_at=sa.func.now())
    .returning(sessions.c.family_id)
)
_FORGET = write(
    sa.delete(sessions).where(sessions.c.expires_at < sa.func.now()).returning(sessions.c.id)
)


async def person(connection: ReadConnection, family_id: UUID) -> Person | None:
    """Who has this session; None when it has ended or its user is disabled or deleted."""
    row = await connection.one(_PERSON, family=family_id)
    return None if row is None else Person(**row)


async def by_hash(connection: ReadConnection, refresh_hash: bytes) -> RefreshToken | None:
    """The token with this hash, whatever became of it."""
    row = await connection.one(_BY_HASH, hash=refresh_hash)
    return None if row is None else RefreshToken(**row)


async def newest(connection: ReadConnection, family_id: UUID) -> RefreshToken | None:
    """The token of the family that was not replaced."""
    row = await connection.one(_NEWEST_OF, family=family_id)
    return None if row is None else RefreshToken(**row)


async def start(connection: WriteConnection, token: NewRefreshToken, lifetime: timedelta) -> None:
    """Open a session that ends after its lifetime, whatever is done with it."""
    await connection.send(_START, **_values(token), lifetime=lifetime)


async def follow(connection: WriteConnection, old: RefreshToken, token: NewRefreshToken) -> None:
    """Replace the newest token of a family; the session's end stays."""
    await connection.send(_REPLACE, old=old.id)
    await connection.send(
        _FOLLOW, **_values(token), logged_in_at=old.logged_in_at, expires_at=old.expires_at
    )


async def revoke(connection: WriteConnection, family_id: UUID) -> bool:
    """End a session; False when it has ended before."""
    return await connection.returning(_REVOKE, family=family_id) is not None


async def revoke_others(
    connection: WriteConnection, user_id: UUID, kept: UUID | None = None
) -> list[UUID]:
    """End every session of a user but `kept`; answers those that ended."""
    rows = await connection.changed(_REVOKE_OTHERS, owner=user_id, kept=kept)
    return [row["family_id"] for row in rows]


async def remove_expired(connection: WriteConnection) -> int:
    """Forget tokens that are past their end."""
    return len(await connection.changed(_FORGET))


def _values(token: NewRefreshToken) -> dict[str, object]:
    return {field.name: getattr(token, field.name) for field in fields(NewRefreshToken)}
