"""The directory: the one truth of where a tenant lives."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from global_db.columns import living
from global_db.connection import ReadConnection, WriteConnection
from global_db.quota_tables import client_quotas
from global_db.quotas import COLUMNS, UNLIMITED, Quota, taken_from
from global_db.statement import read, write
from global_db.tables import clients


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a tenant lives and what it may do: its shard, the epoch there, status and limits."""

    client_id: UUID
    shard: str
    epoch: int
    status: str
    quota: Quota = UNLIMITED


_PLACEMENT = (clients.c.id.label("client_id"), clients.c.shard, clients.c.epoch, clients.c.status)
_THIS_CLIENT = clients.c.id == sa.bindparam("client_id", type_=sa.Uuid)
_with_quota = (
    sa.select(*_PLACEMENT, *COLUMNS)
    .outerjoin(client_quotas, client_quotas.c.client_id == clients.c.id)
    .where(_THIS_CLIENT)
)
_LOCATE = read(_with_quota.where(living(clients)))
_LOCATE_ANY = read(_with_quota)
_SET_PIN = write(
    sa.update(clients)
    .where(clients.c.id == sa.bindparam("id_", type_=sa.Uuid), living(clients))
    .values(pinned=sa.bindparam("pinned"), updated_at=sa.func.now())
    .returning(clients.c.shard)
)
_COUNTS = read(
    sa.select(clients.c.shard, sa.func.count().label("clients"))
    .where(living(clients))
    .group_by(clients.c.shard)
)


async def locate(connection: ReadConnection, client_id: UUID) -> Placement | None:
    """The placement of a living client, or None."""
    row = await connection.one(_LOCATE, client_id=client_id)
    return None if row is None else Placement(quota=taken_from(row), **row)


async def locate_any(connection: ReadConnection, client_id: UUID) -> Placement | None:
    """The placement of a client, living or deleted, or None; for looking after what it left."""
    row = await connection.one(_LOCATE_ANY, client_id=client_id)
    return None if row is None else Placement(quota=taken_from(row), **row)


async def set_pin(connection: WriteConnection, client_id: UUID, *, pinned: bool) -> str | None:
    """Pin a client to the shard it lives on, or release it. Answers the shard, None if unknown."""
    row = await connection.returning(_SET_PIN, id_=client_id, pinned=pinned)
    return None if row is None else str(row["shard"])


async def clients_by_shard(connection: ReadConnection) -> dict[str, int]:
    """How many living clients each shard has; shards without any are absent."""
    return {row["shard"]: row["clients"] for row in await connection.all(_COUNTS)}
