"""Who is on a shard, all tenants by pages, and what moves have left there; asked as the mover.

What is mended is written on the condition of the very state that was found (I3): each statement
looks again, behind the tenant's lock, and says whether it has changed anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from global_db.cluster import Cluster
from global_db.connection import ReadConnection, WriteConnection
from global_db.statement import read, write
from shards.copying.batch import Stream
from shards.tables import TENANT_TABLES, residency

_ROWS_AT_ONCE = 5_000

_CLIENT = sa.bindparam("client_id", type_=sa.Uuid)
_AFTER = sa.bindparam("after", type_=sa.Uuid)
_UPTO = sa.bindparam("upto", type_=sa.Uuid)
_LIMIT = sa.bindparam("limit", type_=sa.Integer)
_NAME = sa.bindparam("name", type_=sa.Text)


@dataclass(frozen=True, slots=True)
class Span:
    """Tenants by id from behind `after` up to and with `upto`, the first `limit` of them."""

    after: UUID
    upto: UUID
    limit: int


@dataclass(frozen=True, slots=True)
class Resident:
    """A tenant's residency on one shard, unchanged for so many seconds."""

    client_id: UUID
    epoch: int
    state: str
    move_id: UUID | None
    age_seconds: float


@dataclass(frozen=True, slots=True)
class MoveObject:
    """A slot, publication or subscription of a move. `busy`: a slot that somebody reads."""

    kind: str
    name: str
    move_id: UUID
    busy: bool


_RESIDENT = sa.select(
    residency.c.client_id,
    residency.c.epoch,
    residency.c.state,
    residency.c.move_id,
    sa.extract("epoch", sa.func.now() - residency.c.changed_at)
    .cast(sa.Double)
    .label("age_seconds"),
)
_RESIDENTS = read(
    _RESIDENT.where(residency.c.client_id > _AFTER, residency.c.client_id <= _UPTO)
    .order_by(residency.c.client_id)
    .limit(_LIMIT)
)


def _next_holder(after: sa.ColumnElement[UUID]) -> sa.ColumnElement[UUID]:
    """The next tenant who has a row in any table: one index look-up in each."""
    return sa.func.least(
        *(
            sa.select(table.c.client_id)
            .where(table.c.client_id > after, table.c.client_id <= _UPTO)
            .order_by(table.c.client_id)
            .limit(1)
            .scalar_subquery()
            for table in TENANT_TABLES
        ),
        type_=sa.Uuid,
    )


# From tenant to tenant and never from row to row: a page costs what it is long.
_held = sa.select(_next_holder(_AFTER).label("client_id")).cte("held", recursive=True)
_held = _held.union_all(
    sa.select(_next_holder(_held.c.client_id)).where(_held.c.client_id.is_not(None))
)
_HOLDERS = read(sa.select(_held.c.client_id).where(_held.c.client_id.is_not(None)).limit(_LIMIT))
_slots = sa.table(
    "pg_replication_slots",
    sa.column("slot_name", sa.Text),
    sa.column("active", sa.Boolean),
    sa.column("database", sa.Text),
)
_publications = sa.table("pg_publication", sa.column("pubname", sa.Text))
_subscriptions = sa.table(
    "pg_subscription", sa.column("subname", sa.Text), sa.column("subdbid", sa.BigInteger)
)
_databases = sa.table("pg_database", sa.column("oid", sa.BigInteger), sa.column("datname", sa.Text))
_HERE = sa.func.current_database()
_OBJECTS = read(
    sa.union_all(
        sa.select(
            sa.literal_column("'slot'").label("kind"),
            _slots.c.slot_name.label("name"),
            _slots.c.active.label("busy"),
        ).where(_slots.c.database == _HERE),
        sa.select(sa.literal_column("'publication'"), _publications.c.pubname, sa.false()),
        sa.select(sa.literal_column("'subscription'"), _subscriptions.c.subname, sa.false())
        .join(_databases, _databases.c.oid == _subscriptions.c.subdbid)
        .where(_databases.c.datname == _HERE),
    )
)
_DROPS = {
    # A slot that somebody reads is not dropped: PostgreSQL refuses, and who reads it lives.
    "slot": write(
        sa.select(sa.func.pg_drop_replication_slot(_slots.c.slot_name)).where(
            _slots.c.slot_name == _NAME, ~_slots.c.active
        )
    ),
    "publication": write(sa.select(sa.func.docshard.unpublish(_NAME))),
    "subscription": write(sa.select(sa.func.docshard.unsubscribe(_NAME))),
}

_LOCK = write(sa.select(sa.func.pg_advisory_xact_lock(sa.func.docshard.tenant_lock(_CLIENT))))
_SILENT = write(sa.select(sa.func.set_config("session_replication_role", "replica", True)))
_AS_FOUND = (
    residency.c.client_id == _CLIENT,
    residency.c.epoch == sa.bindparam("found_epoch", type_=sa.BigInteger),
    residency.c.state == sa.bindparam("found_state", type_=sa.Text),
    residency.c.move_id.is_not_distinct_from(sa.bindparam("found_move", type_=sa.Uuid)),
)
_STILL = write(sa.select(residency.c.client_id).where(*_AS_FOUND))
_ABSENT = write(sa.select(residency.c.client_id).where(residency.c.client_id == _CLIENT))
# `gone` names who made it so: the move that began it, else the mending itself.
_MARK_GONE = write(
    sa.update(residency)
    .where(*_AS_FOUND)
    .values(
        state="gone",
        move_id=sa.func.coalesce(residency.c.move_id, sa.bindparam("mending", type_=sa.Uuid)),
        generation=sa.func.coalesce(residency.c.generation, 0),
        changed_at=sa.func.now(),
    )
    .returning(residency.c.client_id)
)
_DELETES = tuple(
    write(
        sa.delete(table)
        .where(
            table.c.client_id == _CLIENT,
            sa.tuple_(*table.primary_key.columns).in_(
                sa.select(*table.primary_key.columns)
                .where(table.c.client_id == _CLIENT)
                .limit(_LIMIT)
            ),
        )
        .returning(sa.literal_column("1").label("one"))
    )
    for table in TENANT_TABLES
)


async def residents(connection: ReadConnection, span: Span) -> list[Resident]:
    """Residencies in any state, by tenant."""
    rows = await connection.all(_RESIDENTS, after=span.after, upto=span.upto, limit=span.limit)
    return [Resident(**row) for row in rows]


async def holders(connection: ReadConnection, span: Span) -> list[UUID]:
    """Tenants who have rows in any table, by id."""
    rows = await connection.all(_HOLDERS, after=span.after, upto=span.upto, limit=span.limit)
    return [row["client_id"] for row in rows]


async def move_objects(connection: ReadConnection) -> list[MoveObject]:
    """Every slot, publication and subscription in this database that a move has made."""
    return [
        MoveObject(row["kind"], row["name"], stream.move_id, row["busy"])
        for row in await connection.all(_OBJECTS)
        if (stream := Stream.named(row["name"])) is not None
    ]


async def drop_object(cluster: Cluster, found: MoveObject) -> None:
    """Drop what a move has left. What is gone already, or a slot that is read, is left alone."""
    async with cluster.write() as connection:
        await connection.send(_DROPS[found.kind], name=found.name)


async def mark_gone(cluster: Cluster, found: Resident, mending: UUID) -> bool:
    """Write `gone` into a residency that is still as it was found; False when it is not.

    The lock is a mover's: writers in flight have ended before, and later ones are refused.
    """
    async with cluster.write() as connection:
        await connection.send(_LOCK, client_id=found.client_id)
        row = await connection.returning(_MARK_GONE, **_as_found(found), mending=mending)
    return row is not None


async def remove_rows(cluster: Cluster, client_id: UUID, found: Resident | None) -> int | None:
    """Remove all rows of a tenant whose residency here is still as it was found, None for none.

    Answers how many; None when it is not. Each batch looks again in its own transaction, behind the
    tenant's lock. No trigger fires, as in a mover's sweep: nobody enters a tenant who is not here.
    """
    removed = 0
    for delete in _DELETES:
        count = _ROWS_AT_ONCE
        while count == _ROWS_AT_ONCE:
            async with cluster.write() as connection:
                await connection.send(_LOCK, client_id=client_id)
                if not await _as_it_was(connection, client_id, found):
                    return None
                await connection.send(_SILENT)
                rows = await connection.changed(delete, client_id=client_id, limit=_ROWS_AT_ONCE)
            count = len(rows)
            removed += count
    return removed


async def _as_it_was(connection: WriteConnection, client_id: UUID, found: Resident | None) -> bool:
    # In a statement behind the lock's: its snapshot is newer than whatever was waited for.
    if found is None:
        return await connection.returning(_ABSENT, client_id=client_id) is None
    return await connection.returning(_STILL, **_as_found(found)) is not None


def _as_found(found: Resident) -> dict[str, object]:
    return {
        "client_id": found.client_id,
        "found_epoch": found.epoch,
        "found_state": found.state,
        "found_move": found.move_id,
    }
