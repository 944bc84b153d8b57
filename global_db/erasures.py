"""Erasures: begun once, for ever; and what the global database itself holds of a client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from global_db.clients import Client
from global_db.columns import living
from global_db.connection import ReadConnection, WriteConnection
from global_db.erasure_tables import erasures
from global_db.move_tables import move_clients
from global_db.quota_tables import client_quotas
from global_db.statement import read, write
from global_db.statistics_tables import client_rates, client_sizes
from global_db.tables import api_keys, clients, user_roles


@dataclass(frozen=True, slots=True)
class Erasure:
    """One row of erasures. `id` owns the residencies that it ends; `found` is what was there when
    nobody could write any more; `certificate` None until all is gone."""

    client_id: UUID
    id: UUID
    state: str
    shard: str
    epoch: int
    reason: str
    deleted_at: datetime
    begun_at: datetime
    found: dict[str, Any]
    erased_at: datetime | None
    certificate: dict[str, Any] | None


_CLIENT = sa.bindparam("client_id", type_=sa.Uuid)
_FIND = read(sa.select(erasures).where(erasures.c.client_id == _CLIENT))
_AMONG = read(
    sa.select(erasures.c.client_id).where(
        erasures.c.client_id == sa.any_(sa.bindparam("client_ids", type_=sa.ARRAY(sa.Uuid))),
        sa.or_(~sa.bindparam("ended", type_=sa.Boolean), erasures.c.state == "erased"),
    )
)
_MOVING = write(
    sa.select(move_clients.c.move_id).where(
        move_clients.c.client_id == _CLIENT, ~move_clients.c.ended
    )
)
_LOCK_DELETED = write(
    sa.select(clients).where(clients.c.id == _CLIENT, ~living(clients)).with_for_update()
)
_BEGIN = write(
    sa.insert(erasures)
    .values(
        {
            name: sa.bindparam(name)
            for name in ("client_id", "id", "shard", "epoch", "reason", "deleted_at")
        }
    )
    .returning(erasures)
)
_COUNT = write(
    sa.update(erasures)
    .where(
        erasures.c.client_id == sa.bindparam("own_id", type_=sa.Uuid), erasures.c.state == "begun"
    )
    .values(state="counted", found=sa.bindparam("found"))
    .returning(erasures)
)
_END = write(
    sa.update(erasures)
    .where(
        erasures.c.client_id == sa.bindparam("own_id", type_=sa.Uuid), erasures.c.state == "counted"
    )
    .values(
        state="erased",
        certificate=sa.bindparam("certificate"),
        erased_at=sa.bindparam("at", type_=sa.DateTime(timezone=True)),
    )
    .returning(erasures)
)
# What refers to the client goes first. Rates and sizes would go with it; so they are counted.
_HELD = (api_keys, user_roles, move_clients, client_quotas, client_rates, client_sizes)
_REMOVALS = {
    str(table.name): write(
        sa.delete(table)
        .where(table.c.client_id == _CLIENT)
        .returning(sa.literal_column("1").label("one"))
    )
    for table in _HELD
} | {
    "clients": write(
        sa.delete(clients)
        .where(clients.c.id == _CLIENT, ~living(clients))
        .returning(sa.literal_column("1").label("one"))
    )
}


async def find(connection: ReadConnection, client_id: UUID) -> Erasure | None:
    """The erasure of a client, at whatever state."""
    row = await connection.one(_FIND, client_id=client_id)
    return None if row is None else Erasure(**row)


async def among(
    connection: ReadConnection, client_ids: Sequence[UUID], *, ended: bool = False
) -> frozenset[UUID]:
    """Which of these clients were erased or are being so; with `ended` the former alone."""
    rows = await connection.all(_AMONG, client_ids=list(client_ids), ended=ended)
    return frozenset(row["client_id"] for row in rows)


async def lock_deleted(connection: WriteConnection, client_id: UUID) -> Client | None:
    """A deleted client, locked until the transaction ends: nobody restores or moves it then."""
    row = await connection.returning(_LOCK_DELETED, client_id=client_id)
    return None if row is None else Client(**row)


async def moving(connection: WriteConnection, client_id: UUID) -> UUID | None:
    """The move that is not done with the client, if there is one; ask with the client locked."""
    row = await connection.returning(_MOVING, client_id=client_id)
    return None if row is None else UUID(str(row["move_id"]))


async def begin(connection: WriteConnection, id_: UUID, client: Client, reason: str) -> Erasure:
    """Record that a client, locked in this transaction, is being erased: the point of no return."""
    row = await connection.returning(
        _BEGIN,
        client_id=client.id,
        id=id_,
        shard=client.shard,
        epoch=client.epoch,
        reason=reason,
        deleted_at=client.deleted_at,
    )
    return _stored(row)


async def count(connection: WriteConnection, client_id: UUID, found: Mapping[str, Any]) -> None:
    """Record what there is to erase; what was recorded before stays."""
    await connection.send(_COUNT, own_id=client_id, found=found)


async def remove_held(connection: WriteConnection, client_id: UUID) -> dict[str, int]:
    """Remove the client itself and all that refers to it; answers how many rows of each table."""
    return {
        name: len(await connection.changed(statement, client_id=client_id))
        for name, statement in _REMOVALS.items()
    }


async def end(
    connection: WriteConnection, client_id: UUID, certificate: Mapping[str, Any], at: datetime
) -> Erasure | None:
    """Record the certificate; None when another process was faster."""
    row = await connection.returning(_END, own_id=client_id, certificate=certificate, at=at)
    return None if row is None else Erasure(**row)


def _stored(row: dict[str, Any] | None) -> Erasure:
    if row is None:
        raise LookupError("an erasure was not stored")
    return Erasure(**row)
