"""What clients store and how often they are served: added up, kept, and listed by size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_into

from global_db.columns import given_rows
from global_db.connection import ReadConnection, WriteConnection
from global_db.quota_tables import client_quotas
from global_db.quotas import COLUMNS as QUOTA
from global_db.statement import ReadStatement, read, write
from global_db.statistics_tables import client_rates, client_sizes
from global_db.tables import clients

RATE_SECONDS: Final = 120.0
"""T: of a steady rate the stored one shows 63 % after T and 95 % after 3 T, and forgets it so."""
_LEAST = -700.0  # of an exponent: the server calls it an error when a result is too small

Order = Literal["bytes", "rows", "reads", "writes"]


@dataclass(frozen=True, slots=True)
class Served:
    """How often a client was read and written since this was last told."""

    client_id: UUID
    reads: int
    writes: int


@dataclass(frozen=True, slots=True)
class Size:
    """What a client has on its shard: rows, and their part of the bytes of tables and indexes."""

    client_id: UUID
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ClientStatistics:
    """A client with all that is known of it; None: not measured, never served, or not limited."""

    client_id: UUID
    code: str
    shard: str
    pinned: bool
    deleted: bool
    rows: int | None
    bytes: int | None
    measured_at: datetime | None
    reads_per_second: float | None
    writes_per_second: float | None
    rated_at: datetime | None
    max_documents: int | None
    max_bytes: int | None
    requests_per_second: float | None


@dataclass(frozen=True, slots=True)
class ShardStatistics:
    """The living `clients` of a shard; rows and bytes of those `measured`, deleted ones too."""

    shard: str
    clients: int
    measured: int
    rows: int
    bytes: int


def _double(value: sa.ColumnElement[Any] | float) -> sa.ColumnElement[float]:
    return sa.cast(value, sa.Double)


_now = _double(sa.extract("epoch", sa.func.now())) / _double(RATE_SECONDS)


def _level(count: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Of so many requests just now."""
    rate = _double(count) / _double(RATE_SECONDS)
    return sa.case((count > 0, sa.func.ln(rate) + _now))


def _written(levels: Any) -> sa.ColumnElement[float]:
    """The moment at which a row's levels were written, on the scale of `_now`."""
    return _double(sa.extract("epoch", levels.updated_at)) / _double(RATE_SECONDS)


def _since_now(levels: Any, name: str) -> sa.ColumnElement[Any]:
    """A level as if its row had been written now, if a clock that was right again meanwhile says
    that it will be written: rates would be huge for as long as that clock was ahead."""
    level: sa.ColumnElement[Any] = levels[name]
    return level + sa.func.least(_now - _written(levels), _double(0.0))


def _sum_of_levels(one: sa.ColumnElement[Any], other: sa.ColumnElement[Any]) -> Any:
    """ln(exp(one) + exp(other)), which neither of the two exponents would survive."""
    distance = sa.func.greatest(-sa.func.abs(one - other), _double(_LEAST))
    both = sa.func.greatest(one, other) + sa.func.ln(1 + sa.func.exp(distance))
    return sa.func.coalesce(both, one, other)


def rate_of(level: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """The rate per second that a level of `client_rates` is now; NULL for NULL."""
    known = _since_now(level.table.c, level.name)
    # greatest() passes over NULL, and would make the least rate of it.
    exponent = sa.func.greatest(known - _now, _double(_LEAST))
    return sa.case((level.is_not(None), sa.func.exp(exponent)))


_served = given_rows(
    "served",
    client_id=("client_ids", sa.Uuid()),
    reads=("reads", sa.BigInteger()),
    writes=("writes", sa.BigInteger()),
)
# In the order of ids, so that processes that tell at once wait for each other and never in a ring.
# A client that is gone for good is passed over.
_new_rates = insert_into(client_rates).from_select(
    ["client_id", "reads_level", "writes_level"],
    sa.select(_served.c.client_id, _level(_served.c.reads), _level(_served.c.writes))
    .join(clients, clients.c.id == _served.c.client_id)
    .order_by(_served.c.client_id),
)
_ADD = write(
    _new_rates.on_conflict_do_update(
        index_elements=[client_rates.c.client_id],
        set_={
            name: _sum_of_levels(_since_now(client_rates.c, name), _new_rates.excluded[name])
            for name in ("reads_level", "writes_level")
        }
        | {"updated_at": sa.func.now()},
    )
)
# Nobody waits for the disk, or for a synchronous standby, for what may as well be lost.
_LAZILY = write(sa.select(sa.func.set_config("synchronous_commit", "off", sa.true())))

_measured = given_rows(
    "measured",
    client_id=("client_ids", sa.Uuid()),
    rows=("rows", sa.BigInteger()),
    bytes=("bytes", sa.BigInteger()),
)
_new_sizes = insert_into(client_sizes).from_select(
    ["client_id", "rows", "bytes"],
    sa.select(_measured.c.client_id, _measured.c.rows, _measured.c.bytes)
    .join(clients, clients.c.id == _measured.c.client_id)
    .order_by(_measured.c.client_id),
)
_KEEP = write(
    _new_sizes.on_conflict_do_update(
        index_elements=[client_sizes.c.client_id],
        set_={name: _new_sizes.excluded[name] for name in ("rows", "bytes", "measured_at")},
    )
)


async def add(connection: WriteConnection, served: Sequence[Served]) -> None:
    """Add requests, each client once, to the rates; the commit is not waited for."""
    await connection.send(_LAZILY)
    await connection.send(
        _ADD,
        client_ids=[one.client_id for one in served],
        reads=[one.reads for one in served],
        writes=[one.writes for one in served],
    )


async def keep(connection: WriteConnection, sizes: Sequence[Size]) -> None:
    """Keep what was measured just now, each client once."""
    await connection.send(
        _KEEP,
        client_ids=[one.client_id for one in sizes],
        rows=[one.rows for one in sizes],
        bytes=[one.bytes for one in sizes],
    )


_ORDERS: Mapping[Order, sa.Column[Any]] = {
    "bytes": client_sizes.c.bytes,
    "rows": client_sizes.c.rows,
    "reads": client_rates.c.reads_level,
    "writes": client_rates.c.writes_level,
}


_KNOWN = (
    clients.c.id.label("client_id"),
    clients.c.code,
    clients.c.shard,
    clients.c.pinned,
    clients.c.deleted_at.is_not(None).label("deleted"),
    client_sizes.c.rows,
    client_sizes.c.bytes,
    client_sizes.c.measured_at,
    rate_of(client_rates.c.reads_level).label("reads_per_second"),
    rate_of(client_rates.c.writes_level).label("writes_per_second"),
    client_rates.c.updated_at.label("rated_at"),
    *QUOTA,
)


def _with_statistics(found: sa.FromClause) -> sa.FromClause:
    """`found` holds clients; what is known of each goes beside it."""
    for known in (client_sizes, client_rates, client_quotas):
        found = found.outerjoin(known, known.c.client_id == clients.c.id)
    return found


def _top(column: sa.Column[Any]) -> ReadStatement:
    """The first of an index, and then all that is known of these."""
    order = column.desc().nulls_last() if column.nullable else column.desc()
    client_id = column.table.c.client_id
    first = (
        sa.select(client_id, column.label("place"))
        .where(column.is_not(None))
        .order_by(order, client_id)
        .limit(sa.bindparam("limit", type_=sa.Integer))
        .subquery("first")
    )
    return read(
        sa.select(*_KNOWN)
        .select_from(_with_statistics(first.join(clients, clients.c.id == first.c.client_id)))
        .order_by(first.c.place.desc(), first.c.client_id)
    )


_TOP = {order: _top(column) for order, column in _ORDERS.items()}


_OF = read(
    sa.select(*_KNOWN)
    .select_from(_with_statistics(clients))
    .where(clients.c.id == sa.bindparam("client_id_", type_=sa.Uuid))
)
_BY_SHARD = read(
    sa.select(
        clients.c.shard,
        sa.func.count().filter(clients.c.deleted_at.is_(None)).label("clients"),
        sa.func.count(client_sizes.c.client_id).label("measured"),
        sa.cast(sa.func.coalesce(sa.func.sum(client_sizes.c.rows), 0), sa.BigInteger).label("rows"),
        sa.cast(sa.func.coalesce(sa.func.sum(client_sizes.c.bytes), 0), sa.BigInteger).label(
            "bytes"
        ),
    )
    .select_from(clients.outerjoin(client_sizes, client_sizes.c.client_id == clients.c.id))
    .group_by(clients.c.shard)
)


async def of(connection: ReadConnection, client_id: UUID) -> ClientStatistics | None:
    """What is known of one client."""
    row = await connection.one(_OF, client_id_=client_id)
    return None if row is None else ClientStatistics(**row)


async def by_shard(connection: ReadConnection) -> list[ShardStatistics]:
    """What the clients of each shard have together; reads every client's row."""
    return [ShardStatistics(**row) for row in await connection.all(_BY_SHARD)]


async def top(connection: ReadConnection, order: Order, limit: int) -> list[ClientStatistics]:
    """The clients with most of something; those of which it is not known are not among them."""
    return [ClientStatistics(**row) for row in await connection.all(_TOP[order], limit=limit)]
