"""API keys of clients: stored as hashes of 256 random bits, looked up by hash."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from global_db.columns import living
from global_db.connection import ReadConnection, WriteConnection
from global_db.statement import read, write
from global_db.tables import api_keys, clients


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One row of api_keys without its hash."""

    id: UUID
    client_id: UUID
    name: str
    scopes: list[str]
    created_by: UUID
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


_COLUMNS = tuple(api_keys.c[name] for name in ApiKey.__slots__)
_VALID = (
    api_keys.c.revoked_at.is_(None),
    api_keys.c.expires_at.is_(None) | (api_keys.c.expires_at > sa.func.now()),
)
_BY_HASH = read(
    sa.select(*_COLUMNS)
    .join(clients, clients.c.id == api_keys.c.client_id)
    .where(api_keys.c.key_hash == sa.bindparam("key_hash"), *_VALID, living(clients))
)
_OF_CLIENT = read(
    sa.select(*_COLUMNS)
    .where(
        api_keys.c.client_id == sa.bindparam("client_id", type_=sa.Uuid),
        sa.bindparam("before", type_=sa.Uuid).is_(None)
        | (api_keys.c.id < sa.bindparam("before", type_=sa.Uuid)),
    )
    .order_by(api_keys.c.id.desc())
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_NEW = ("id", "client_id", "name", "key_hash", "scopes", "created_by", "expires_at")
_INSERT = write(
    sa.insert(api_keys).values({name: sa.bindparam(name) for name in _NEW}).returning(*_COLUMNS)
)
_REVOKE = write(
    sa.update(api_keys)
    .where(
        api_keys.c.client_id == sa.bindparam("own_client_id", type_=sa.Uuid),
        api_keys.c.id == sa.bindparam("key_id", type_=sa.Uuid),
        api_keys.c.revoked_at.is_(None),
    )
    .values(revoked_at=sa.func.now())
    .returning(*_COLUMNS)
)

_IN_USE = (
    sa.select(api_keys.c.id)
    .where(api_keys.c.id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid))))
    .order_by(api_keys.c.id)
    # Who finds a key locked leaves it: another process dates it just now, or it is being revoked.
    .with_for_update(skip_locked=True)
    .cte("in_use")
)
_NOTE_USES = write(
    sa.update(api_keys)
    .where(api_keys.c.id == _IN_USE.c.id)
    .values(last_used_at=sa.func.now())
    .returning(api_keys.c.id)
)


async def by_hash(connection: ReadConnection, key_hash: bytes) -> ApiKey | None:
    """The valid key with this hash: neither revoked nor expired, of a living client."""
    row = await connection.one(_BY_HASH, key_hash=key_hash)
    return None if row is None else ApiKey(**row)


async def of_client(
    connection: ReadConnection, client_id: UUID, before: UUID | None, limit: int
) -> list[ApiKey]:
    """A page of a client's keys, newest first, revoked ones too."""
    rows = await connection.all(_OF_CLIENT, client_id=client_id, before=before, limit=limit)
    return [ApiKey(**row) for row in rows]


async def insert(
    connection: WriteConnection,
    *,
    id: UUID,
    client_id: UUID,
    name: str,
    key_hash: bytes,
    scopes: list[str],
    created_by: UUID,
    expires_at: datetime | None,
) -> ApiKey:
    """Add a key."""
    row = await connection.returning(
        _INSERT,
        id=id,
        client_id=client_id,
        name=name,
        key_hash=key_hash,
        scopes=scopes,
        created_by=created_by,
        expires_at=expires_at,
    )
    if row is None:
        raise LookupError(id)
    return ApiKey(**row)


async def revoke(connection: WriteConnection, client_id: UUID, key_id: UUID) -> ApiKey | None:
    """End a key of the client; None when it has no such living key."""
    row = await connection.returning(_REVOKE, own_client_id=client_id, key_id=key_id)
    return None if row is None else ApiKey(**row)


async def note_uses(connection: WriteConnection, ids: list[UUID]) -> int:
    """Date these keys as used now; answers how many were."""
    return len(await connection.changed(_NOTE_USES, ids=ids))
