"""The directory as a whole: what binds a shard, and pages of it to compare with the shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from global_db.columns import living
from global_db.connection import ReadConnection
from global_db.erasure_tables import erasures
from global_db.move_tables import move_clients, moves
from global_db.statement import read
from global_db.tables import clients

TIDYING = timedelta(seconds=60)
"""A move that has just ended is still cleaning up behind itself."""

_AFTER = sa.bindparam("after", type_=sa.Uuid)
_IDS = sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid))
_SHARD = sa.bindparam("shard", type_=sa.Text)
_LIVING_MOVE = (moves.c.state != "swept") & (moves.c.state != "aborted")
_BUSY_MOVE = sa.or_(
    _LIVING_MOVE, moves.c.updated_at > sa.func.now() - sa.bindparam("tidying", type_=sa.Interval)
)


@dataclass(frozen=True, slots=True)
class Bound:
    """What binds a shard: living and deleted clients, and moves that are not over."""

    living: int
    deleted: int
    moves: int


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the directory says that a client is, living or deleted; `code` is for people.

    `erasing`: it is being erased, so that nothing of it need be anywhere.
    """

    client_id: UUID
    code: str
    shard: str
    epoch: int
    erasing: bool = False


_BOUND = read(
    sa.select(
        sa.func.count().filter(living(clients)).label("living"),
        sa.func.count().filter(~living(clients)).label("deleted"),
        sa.select(sa.func.count())
        .select_from(moves)
        .where(_LIVING_MOVE, sa.or_(moves.c.source == _SHARD, moves.c.target == _SHARD))
        .scalar_subquery()
        .label("moves"),
    ).where(clients.c.shard == _SHARD)
)
_PAGE = read(
    sa.select(
        clients.c.id.label("client_id"),
        clients.c.code,
        clients.c.shard,
        clients.c.epoch,
        clients.c.id.in_(sa.select(erasures.c.client_id)).label("erasing"),
    )
    .where(clients.c.id > _AFTER)
    .order_by(clients.c.id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_MOVING = read(
    sa.select(move_clients.c.client_id)
    .join(moves, moves.c.id == move_clients.c.move_id)
    .where(move_clients.c.client_id == sa.any_(_IDS), sa.or_(~move_clients.c.ended, _BUSY_MOVE))
)
# A move that reverses another one is fed by that one's way back.
_fed = moves.alias("fed")
_BUSY = read(
    sa.select(moves.c.id).where(
        moves.c.id == sa.any_(_IDS),
        sa.or_(
            _BUSY_MOVE,
            sa.exists().where(
                _fed.c.reverses == moves.c.id,
                _fed.c.state != "swept",
                _fed.c.state != "aborted",
            ),
        ),
    )
)


async def bound_to(connection: ReadConnection, shard: str) -> Bound:
    """What binds this shard."""
    row = await connection.one(_BOUND, shard=shard)
    return Bound(0, 0, 0) if row is None else Bound(**row)


async def page(connection: ReadConnection, after: UUID, limit: int) -> list[Placed]:
    """Clients by id, from behind `after`."""
    return [Placed(**row) for row in await connection.all(_PAGE, after=after, limit=limit)]


async def moving(
    connection: ReadConnection, ids: Sequence[UUID], tidying: timedelta = TIDYING
) -> set[UUID]:
    """Those of these clients on whom a move is at work, or was a moment ago."""
    rows = await connection.all(_MOVING, ids=list(ids), tidying=tidying)
    return {row["client_id"] for row in rows}


async def busy_moves(
    connection: ReadConnection, ids: Sequence[UUID], tidying: timedelta = TIDYING
) -> set[UUID]:
    """Those of these moves that are at work, or were a moment ago."""
    rows = await connection.all(_BUSY, ids=list(ids), tidying=tidying)
    return {row["id"] for row in rows}
