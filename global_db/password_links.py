"""One-time links by which a first or a forgotten password is set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from global_db.connection import ReadConnection, WriteConnection
from global_db.session_tables import password_links
from global_db.statement import read, write


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link to make; of its token only the hash is kept."""

    id: UUID
    user_id: UUID
    token_hash: bytes
    created_by: UUID


_NEW = ("id", "user_id", "token_hash", "created_by")
_DROP_UNUSED = write(
    sa.delete(password_links).where(
        password_links.c.user_id == sa.bindparam("user_id", type_=sa.Uuid),
        password_links.c.used_at.is_(None),
    )
)
_INSERT = write(
    sa.insert(password_links)
    .values(
        **{name: sa.bindparam(name) for name in _NEW},
        expires_at=sa.func.now() + sa.bindparam("lifetime", type_=sa.Interval),
    )
    .returning(password_links.c.expires_at)
)
_OWNER = read(
    sa.select(password_links.c.user_id).where(
        password_links.c.token_hash == sa.bindparam("hash"),
        password_links.c.used_at.is_(None),
        password_links.c.expires_at > sa.func.now(),
    )
)
_USE = write(
    sa.update(password_links)
    .where(
        password_links.c.token_hash == sa.bindparam("hash"),
        password_links.c.used_at.is_(None),
        password_links.c.expires_at > sa.func.now(),
    )
    .values(used_at=sa.func.now())
    .returning(password_links.c.user_id)
)
_FORGET = write(
    sa.delete(password_links)
    .where(password_links.c.expires_at < sa.func.now())
    .returning(password_links.c.id)
)


async def put(connection: WriteConnection, link: NewLink, lifetime: timedelta) -> datetime:
    """Keep a link in place of the user's earlier unused one; answers when it ends.

    The caller holds the user's row (`accounts.lock`).
    """
    await connection.send(_DROP_UNUSED, user_id=link.user_id)
    row = await connection.returning(
        _INSERT, **{name: getattr(link, name) for name in _NEW}, lifetime=lifetime
    )
    if row is None:
        raise LookupError(link.id)
    expires_at: datetime = row["expires_at"]
    return expires_at


async def owner(connection: ReadConnection, token_hash: bytes) -> UUID | None:
    """Whose password a good link sets; None when it is unknown, used or too old."""
    row = await connection.one(_OWNER, hash=token_hash)
    return None if row is None else row["user_id"]


async def use(connection: WriteConnection, token_hash: bytes) -> bool:
    """Use a link up; False when it is not good any more."""
    return await connection.returning(_USE, hash=token_hash) is not None


async def drop_unused(connection: WriteConnection, user_id: UUID) -> None:
    """Make a user's unused link worthless."""
    await connection.send(_DROP_UNUSED, user_id=user_id)


async def remove_expired(connection: WriteConnection) -> int:
    """Forget links that are past their end, used or not."""
    return len(await connection.changed(_FORGET))
