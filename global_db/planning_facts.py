"""What a plan is made from: every client with its statistics, and what finished moves took."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from global_db.client_statistics import rate_of
from global_db.columns import given_rows
from global_db.connection import ReadConnection
from global_db.erasure_tables import erasures
from global_db.move_tables import move_clients, moves
from global_db.statement import read
from global_db.statistics_tables import client_rates, client_sizes
from global_db.tables import clients

_KEPT_IN_MIND = 200
"""The last moves are as a shard is now; a hundred of them tell a tenth and nine tenths."""


FREE, PINNED, MOVING = range(3)
"""What keeps a client where it is; who moves already is MOVING, pinned or not; so is who
is being erased."""


@dataclass(frozen=True, slots=True)
class Residents:
    """A page of all clients, deleted or not, by id: their columns side by side.

    `ids`: 16 bytes each; `shard`: where each lives, a moving one where it will live, as a place
    among the names that were given, -1 for any other; `hold`: a byte each; `rows` and `bytes_`: -1
    while nobody has measured them; `reads` and `writes` per second.
    """

    ids: bytes
    shard: array[int]
    hold: bytes
    rows: array[int]
    bytes_: array[int]
    reads: array[float]
    writes: array[float]

    @property
    def last(self) -> UUID:
        """Behind whom the next page begins."""
        return UUID(bytes=self.ids[-16:])


@dataclass(frozen=True, slots=True)
class Finished:
    """What a move had and took."""

    rows: float
    bytes: float
    seconds: float
    pause_ms: float


_AFTER = sa.bindparam("after", type_=sa.Uuid)
_named = given_rows("named", name=("names", sa.Text()), place=("places", sa.Integer()))
# Every table is walked along its key from behind the same id, side by side, and no farther than the
# page goes: hence the condition in each join.
_page = (
    sa.select(
        clients.c.id.label("client_id"),
        sa.func.coalesce(moves.c.target, clients.c.shard).label("shard"),
        clients.c.pinned,
        sa.or_(moves.c.id.is_not(None), clients.c.id.in_(sa.select(erasures.c.client_id))).label(
            "moving"
        ),
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
    .cte("page")
)
_found = (
    sa.select(_page, sa.func.coalesce(_named.c.place, -1).label("place"))
    .select_from(_page.outerjoin(_named, _named.c.name == _page.c.shard))
    .cte("found")
)


def _column(values: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bytes]:
    """All values in their wire format, one behind the other. Each column says the order: the join
    with the names may have changed it."""
    nothing = sa.cast(sa.literal_column("''"), sa.LargeBinary)
    return sa.func.string_agg(values, aggregate_order_by(nothing, _found.c.client_id)).label(name)


# A page is one row of seven byte strings: a million clients as rows and objects of their own took
# twenty seconds longer than as columns.
_PAGE = read(
    sa.select(
        _column(sa.func.uuid_send(_found.c.client_id), "ids"),
        _column(sa.func.int4send(_found.c.place), "shard"),
        _column(
            sa.case(
                (_found.c.moving, sa.func.decode(f"{MOVING:02}", "hex")),
                (_found.c.pinned, sa.func.decode(f"{PINNED:02}", "hex")),
                else_=sa.func.decode(f"{FREE:02}", "hex"),
            ),
            "hold",
        ),
        _column(sa.func.int8send(sa.func.coalesce(_found.c.rows, -1)), "rows"),
        _column(sa.func.int8send(sa.func.coalesce(_found.c.bytes, -1)), "bytes_"),
        _column(sa.func.float8send(_found.c.reads), "reads"),
        _column(sa.func.float8send(_found.c.writes), "writes"),
    )
)
_TYPES = {"shard": "i", "rows": "q", "bytes_": "q", "reads": "d", "writes": "d"}
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


async def residents(
    connection: ReadConnection, shards: Sequence[str], after: UUID, limit: int
) -> Residents | None:
    """A page of all clients, by id, from behind `after`; None when nobody is left."""
    row = await connection.one(
        _PAGE, names=list(shards), places=list(range(len(shards))), after=after, limit=limit
    )
    if row is None or row["ids"] is None:
        return None
    return Residents(**row | {name: _numbers(kind, row[name]) for name, kind in _TYPES.items()})


def _numbers(kind: str, sent: bytes) -> array[Any]:
    """A column in the order of bytes that this machine has; on the wire the highest is first."""
    numbers = array(kind, sent)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


async def finished_moves(connection: ReadConnection) -> list[Finished]:
    """The last moves that ended well and have all figures, newest first."""
    return [Finished(**row) for row in await connection.all(_FINISHED)]
