"""Wrapped keys: useless without the provider that wrapped them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_into

from global_db.connection import ReadConnection, WriteConnection
from global_db.statement import read, write
from global_db.tables import data_keys


@dataclass(frozen=True, slots=True)
class DataKey:
    """One row of data_keys.

    A retired key still opens what it sealed; until `retired_at` has come it also makes new values.
    """

    id: UUID
    purpose: str
    provider: str
    wrapped: bytes
    created_at: datetime | None = None
    retired_at: datetime | None = None


_ALL = read(sa.select(data_keys).order_by(data_keys.c.id))
_ACTIVE = read(
    sa.select(data_keys).where(
        data_keys.c.purpose == sa.bindparam("purpose"), data_keys.c.retired_at.is_(None)
    )
)
_INSERT = write(
    insert_into(data_keys)
    .values({name: sa.bindparam(name) for name in ("id", "purpose", "provider", "wrapped")})
    .on_conflict_do_nothing()
    .returning(data_keys.c.id)
)
_RETIRE = write(
    sa.update(data_keys)
    .where(
        data_keys.c.id == sa.bindparam("own_id", type_=sa.Uuid), data_keys.c.retired_at.is_(None)
    )
    .values(retired_at=sa.func.now() + sa.bindparam("delay", type_=sa.Interval))
    .returning(data_keys.c.retired_at)
)


async def all_keys(connection: ReadConnection) -> list[DataKey]:
    """Every key, retired ones too."""
    return [DataKey(**row) for row in await connection.all(_ALL)]


async def active(connection: ReadConnection, purpose: str) -> DataKey | None:
    """The key in use for `purpose`."""
    row = await connection.one(_ACTIVE, purpose=purpose)
    return None if row is None else DataKey(**row)


async def insert(connection: WriteConnection, key: DataKey) -> bool:
    """Store a first key; False when another process was first for its purpose."""
    row = await connection.returning(
        _INSERT, id=key.id, purpose=key.purpose, provider=key.provider, wrapped=key.wrapped
    )
    return row is not None


async def retire(connection: WriteConnection, key_id: UUID, delay: timedelta) -> datetime | None:
    """Retire a key after a delay; answers when, or None when it was retired before."""
    row = await connection.returning(_RETIRE, own_id=key_id, delay=delay)
    return None if row is None else row["retired_at"]
