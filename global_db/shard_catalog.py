"""The catalog of shards: their nodes, weight, status and schema revision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from psycopg.types.json import Jsonb
from sqlalchemy.dialects.postgresql import JSONB, insert

from global_db.address import NodeAddress
from global_db.connection import ReadConnection, Row, WriteConnection
from global_db.statement import read, write
from global_db.tables import shards


@dataclass(frozen=True, slots=True)
class Shard:
    """A registered shard. `status`: active, draining (takes no new clients) or removed."""

    name: str
    status: str
    weight: float
    nodes: tuple[NodeAddress, ...]
    schema_revision: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewShard:
    """A shard to add; its schema has reached `schema_revision`."""

    name: str
    nodes: Sequence[NodeAddress]
    weight: float
    schema_revision: str


_ALL = read(sa.select(shards).where(shards.c.status != "removed").order_by(shards.c.name))
_NEW = insert(shards).values(
    name=sa.bindparam("name"), weight=sa.bindparam("weight"), nodes=sa.bindparam("nodes")
)
_REGISTER = write(
    _NEW.on_conflict_do_update(
        index_elements=[shards.c.name],
        set_={"nodes": _NEW.excluded.nodes},
        # A removed name is never used again: its tombstones speak of another cluster.
        where=shards.c.status != "removed",
    ).returning(shards)
)
_NAME = sa.bindparam("name_", type_=sa.Text)
_ADD = write(
    insert(shards)
    .values({name: sa.bindparam(name) for name in ("name", "weight", "nodes", "schema_revision")})
    .on_conflict_do_nothing(index_elements=[shards.c.name])
    .returning(shards)
)
_NAMES = read(sa.select(shards.c.name))
_STATUS = read(sa.select(shards.c.status).where(shards.c.name == _NAME))
# FOR UPDATE, not the weaker lock of an UPDATE of the status: see `lock`.
_LOCK = write(sa.select(shards).where(shards.c.name == _NAME).with_for_update())
_SET_STATUS = write(
    sa.update(shards)
    .where(shards.c.name == _NAME)
    .values(status=sa.bindparam("status_", type_=sa.Text))
    .returning(shards)
)
_SET_NODES = write(
    sa.update(shards)
    .where(shards.c.name == _NAME)
    .values(nodes=sa.bindparam("nodes_", type_=JSONB))
    .returning(shards)
)
# Any constant of our own.
_ONE_AT_A_TIME = write(sa.select(sa.func.pg_advisory_xact_lock(7_346_000_002)))
_SET_REVISION = write(
    sa.update(shards)
    .where(shards.c.name == sa.bindparam("name_"))
    .values(schema_revision=sa.bindparam("revision"))
)


async def registered(connection: ReadConnection) -> list[Shard]:
    """Every shard that was not removed, by name."""
    return [_shard(row) for row in await connection.all(_ALL)]


async def register(
    connection: WriteConnection, name: str, nodes: Sequence[NodeAddress], weight: float
) -> Shard:
    """Add a shard, or give a known one new node addresses.

    Raises:
        LookupError: a shard of this name was removed.
    """
    row = await connection.returning(
        _REGISTER,
        name=name,
        weight=weight,
        nodes=Jsonb([node.model_dump(mode="json") for node in nodes]),
    )
    if row is None:
        raise LookupError(name)
    return _shard(row)


async def add(connection: WriteConnection, shard: NewShard) -> Shard | None:
    """Add a shard that is ready to serve; None when the name is or was another one's."""
    row = await connection.returning(
        _ADD,
        name=shard.name,
        weight=shard.weight,
        nodes=Jsonb([node.model_dump(mode="json") for node in shard.nodes]),
        schema_revision=shard.schema_revision,
    )
    return None if row is None else _shard(row)


async def names(connection: ReadConnection) -> set[str]:
    """Every name that a shard has or had."""
    return {row["name"] for row in await connection.all(_NAMES)}


async def status(connection: ReadConnection, name: str) -> str | None:
    """A shard's status, or None when there never was such a shard."""
    row = await connection.one(_STATUS, name_=name)
    return None if row is None else str(row["status"])


async def one_at_a_time(connection: WriteConnection) -> None:
    """Wait until nobody else changes which shards there are; held until the transaction ends."""
    await connection.returning(_ONE_AT_A_TIME)


async def lock(connection: WriteConnection, name: str) -> Shard | None:
    """A shard's row, locked until the transaction ends, with nothing on its way to the shard.

    Whoever inserts a client or a move holds FOR KEY SHARE on the rows of its shards from the check
    of the foreign key until the end of the transaction. FOR UPDATE conflicts with that, where the
    lock of a plain UPDATE of the status does not. So each such transaction has either ended when
    this answers, and later statements see what it left; or it waits here in its check, and its
    next statement, whose snapshot is newer than our commit, reads the status that we write.
    """
    row = await connection.returning(_LOCK, name_=name)
    return None if row is None else _shard(row)


async def set_status(connection: WriteConnection, name: str, status: str) -> Shard:
    """Write the status of a shard that this transaction has locked."""
    row = await connection.returning(_SET_STATUS, name_=name, status_=status)
    if row is None:
        raise LookupError(name)
    return _shard(row)


async def set_nodes(connection: WriteConnection, name: str, nodes: Sequence[NodeAddress]) -> Shard:
    """Write the addresses of a shard that this transaction has locked; who listens is told."""
    told = Jsonb([node.model_dump(mode="json") for node in nodes])
    row = await connection.returning(_SET_NODES, name_=name, nodes_=told)
    if row is None:
        raise LookupError(name)
    return _shard(row)


async def set_revision(connection: WriteConnection, name: str, revision: str | None) -> None:
    """Record which schema revision a shard has reached."""
    await connection.send(_SET_REVISION, name_=name, revision=revision)


def _shard(row: Row) -> Shard:
    return Shard(
        name=row["name"],
        status=row["status"],
        weight=float(row["weight"]),
        nodes=tuple(NodeAddress.model_validate(node) for node in row["nodes"]),
        schema_revision=row["schema_revision"],
        created_at=row["created_at"],
    )
