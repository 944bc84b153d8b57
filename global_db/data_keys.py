"""Wrapped keys: useless without the provider that wrapped them.

A key is published (others may learn to open with it), in use, or retired; of each purpose one at
most is published and one in use. There is no way to delete one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_into

from global_db.connection import ReadConnection, WriteConnection
from global_db.statement import read, write
from global_db.tables import data_keys


@dataclass(frozen=True, slots=True)
class DataKey:
    """One row of data_keys. A retired key still opens what it sealed."""

    id: UUID
    purpose: str
    provider: str
    wrapped: bytes
    created_at: datetime | None = None
    retired_at: datetime | None = None
    activated_at: datetime | None = None


_NEW: dict[str, sa.BindParameter[Any]] = {
    name: sa.bindparam(name) for name in ("id", "purpose", "provider", "wrapped")
}
_ID = sa.bindparam("id", type_=sa.Uuid)
_IN_USE = (
    data_keys.c.purpose == sa.bindparam("purpose"),
    data_keys.c.activated_at.is_not(None),
    data_keys.c.retired_at.is_(None),
)
_ALL = read(sa.select(data_keys).order_by(data_keys.c.id))
_ACTIVE = read(sa.select(data_keys).where(*_IN_USE))
_INSERT = write(
    insert_into(data_keys).values(_NEW).on_conflict_do_nothing().returning(data_keys.c.id)
)
_PUBLISH = write(
    insert_into(data_keys)
    .values({**_NEW, "activated_at": sa.null()})
    .on_conflict_do_nothing()
    .returning(data_keys.c.id)
)
_RETIRE = write(sa.update(data_keys).where(*_IN_USE).values(retired_at=sa.func.now()))
_ACTIVATE = write(
    sa.update(data_keys)
    .where(
        data_keys.c.id == _ID,
        data_keys.c.purpose == sa.bindparam("purpose"),
        data_keys.c.activated_at.is_(None),
    )
    .values(activated_at=sa.func.now())
    .returning(data_keys.c.id)
)
_REWRAP = write(
    sa.update(data_keys)
    .where(data_keys.c.id == _ID, data_keys.c.wrapped == sa.bindparam("old"))
    .values(provider=sa.bindparam("provider"), wrapped=sa.bindparam("new"))
    .returning(data_keys.c.id)
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
    return await connection.returning(_INSERT, **_new(key)) is not None


async def publish(connection: WriteConnection, key: DataKey) -> bool:
    """Store a key that nobody uses yet; False when one of its purpose waits already."""
    return await connection.returning(_PUBLISH, **_new(key)) is not None


async def activate(connection: WriteConnection, key_id: UUID, purpose: str) -> bool:
    """Retire the key in use and use the published one instead.

    False when it is not a published key of this purpose: the transaction must be rolled back.
    """
    await connection.send(_RETIRE, purpose=purpose)
    return await connection.returning(_ACTIVATE, id=key_id, purpose=purpose) is not None


async def rewrap(connection: WriteConnection, key: DataKey, provider: str, wrapped: bytes) -> bool:
    """Replace a key's wrapping; False when it is not any more what `key` says."""
    row = await connection.returning(
        _REWRAP, id=key.id, old=key.wrapped, provider=provider, new=wrapped
    )
    return row is not None


def _new(key: DataKey) -> dict[str, object]:
    return {name: getattr(key, name) for name in _NEW}
