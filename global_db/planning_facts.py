"""What a plan is made from: every client with its statistics, and what finished moves took."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from global_db.client_statistics import rate_of
from global_db.connection import ReadConnection
from global_db.move_tables import move_clients, moves
from global_db.statement import read
from global_db.statistics_tables import client_rates, client_sizes
from global_db.tables import clients

_KEPT_IN_MIND = 200
"""The last moves are as a shard is now; a hundred of them tell a tenth and nine tenths."""


@dataclass(frozen=True, slots=True)
class Resident:
    """One client, deleted or not, where it lives; a moving one where it will live."""

    client_id: UUID
    shard: str
    pinned: bool
    moving: bool
    rows: int | None
    bytes: int | None
    reads: float
    writes: float


@dataclass(frozen=True, slots=True)
class Finished:
    """What a move had and took."""

    rows: float
    bytes: float
    seconds: float
    pause_ms: float


_AFTER = sa.bindparam("after", type_=sa.Uuid)
# Every table is walked along its key from behind the same id, side by side, and no farther than the
# page goes: hence the condition in each join.
_PAGE = read(
    sa.select(
        clients.c.id.label("client_id"),
        sa.func.coalesce(moves.c.target, clients.c.shard).label("shard"),
        clients.c.pinned,
        moves.c.id.is_not(None).label("moving"),
        client_sizes.c.rows,
        client_sizes.c.bytes,
        sa.func.coalesce(rate_of(client_rates.c.reads_level), 0.0).label("reads"),
        sa.func.coalesce(rate_of(client_rates.c.writes_level), 0.0).label("writes"),
    )
    .select_from(clients)
    .outerjoin(move_clients, (move_clients.c.client_id == clients.c.id) & ~move_clients.c.ended)
    .outerjoin(moves, moves.c.id == move_clients.c.move_id)
    .outerjoin(
        client_sizes,
        (client_sizes.c.client_id == clients.c.id) & (client_sizes.c.client_id > _AFTER),
    )
    .outerjoin(
        client_rates,
        (client_rates.c.client_id == clients.c.id) & (client_rates.c.client_id > _AFTER),
    )
    .where(clients.c.id > _AFTER)
    .order_by(clients.c.id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_FIGURES = ("rows", "bytes", "seconds", "pause_ms")
_FINISHED = read(
    sa.select(*(sa.cast(moves.c.actual[name].astext, sa.Double).label(name) for name in _FIGURES))
    .where(
        moves.c.state.in_([sa.literal_column("'switched'"), sa.literal_column("'swept'")]),
        *(sa.func.jsonb_typeof(moves.c.actual[name]) == "number" for name in _FIGURES),
    )
    .order_by(moves.c.updated_at.desc())
    .limit(sa.literal_column(str(_KEPT_IN_MIND)))
)


async def residents(connection: ReadConnection, after: UUID, limit: int) -> list[Resident]:
    """A page of all clients, by id, from behind `after`."""
    return [Resident(**row) for row in await connection.all(_PAGE, after=after, limit=limit)]


async def finished_moves(connection: ReadConnection) -> list[Finished]:
    """The last moves that ended well and have all figures, newest first."""
    return [Finished(**row) for row in await connection.all(_FINISHED)]
