"""The catalog of shards: their nodes, weight, status and schema revision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from psycopg.types.json import Jsonb
from sqlalchemy.dialects.postgresql import insert

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


_ALL = read(sa.select(shards).where(shards.c.status != "removed").order_by(shards.c.name))
_NEW = insert(shards).values(
    name=sa.bindparam("name"), weight=sa.bindparam("weight"), nodes=sa.bindparam("nodes")
)
_REGISTER = write(
    _NEW.on_conflict_do_update(
        index_elements=[shards.c.name], set_={"nodes": _NEW.excluded.nodes}
    ).returning(shards)
)
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
    """Add a shard, or give a known one new node addresses."""
    row = await connection.returning(
        _REGISTER,
        name=name,
        weight=weight,
        nodes=Jsonb([node.model_dump(mode="json") for node in nodes]),
    )
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
