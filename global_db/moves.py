"""Moves as operators order and see them: one row each, its batch of clients beside it.

Who runs a move changes its row through `move_runs` alone, which demands the generation of the run.
What stands here is about moves that are ordered, looked at and wished something of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa

from global_db.columns import given_rows
from global_db.connection import ReadConnection, WriteConnection
from global_db.erasure_tables import BEING_ERASED
from global_db.move_tables import ENDED, in_state, move_clients, moves
from global_db.statement import read, write
from global_db.tables import clients


class AlreadyMoving(Exception):
    """A client of the batch is in another move that has not ended, or still tidies up."""


class AlreadyFollowed(Exception):
    """The move that is to be retried or reversed was so before."""


class ClientsElsewhere(Exception):
    """A client of the batch does not live on the source at the epoch that the plan knows, or has
    begun to be erased."""


@dataclass(frozen=True, slots=True)
class Move:
    """One row of moves.

    `generation` counts its runs. `wish`: run, pause or abort, the operator's word. `attempts`:
    failures in a row; until `not_before` it is left alone, and `fault` says why, for people.
    `actual`: {rows, bytes, pause_ms, switch_ms: {step: milliseconds}, phases: {state: seconds}};
    `progress`: {rows, rows_total, bytes, bytes_total, lag_bytes, at}.
    """

    id: UUID
    rebalance_id: UUID | None
    source: str
    target: str
    state: str
    generation: int
    lease_owner: str | None
    lease_until: datetime | None
    predicted: dict[str, Any]
    actual: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    position: int
    wish: str
    attempts: int
    not_before: datetime | None
    fault: str | None
    reverses: UUID | None
    retries: UUID | None
    progress: dict[str, Any]
    facts: dict[str, Any]
    state_since: datetime
    switched_at: datetime | None
    sweep_after: datetime | None
    reason: str
    created_by: UUID | None


@dataclass(frozen=True, slots=True)
class NewMove:
    """A move that is ordered. `clients`: the epoch at which each one leaves the source."""

    id: UUID
    source: str
    target: str
    clients: Mapping[UUID, int]
    rebalance_id: UUID | None = None
    position: int = 0
    predicted: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    created_by: UUID | None = None
    reverses: UUID | None = None
    retries: UUID | None = None


@dataclass(frozen=True, slots=True)
class MovingClient:
    """A client of a batch. `ended`: this move has nothing to do with it any more."""

    client_id: UUID
    epoch: int
    ended: bool


_LIVES = ~in_state(*ENDED)
_ID = sa.bindparam("id_", type_=sa.Uuid)
_NEW = (
    *("id", "rebalance_id", "source", "target", "position", "predicted", "reason", "created_by"),
    *("reverses", "retries"),
)
_INSERT = write(
    sa.insert(moves)
    .values({name: sa.bindparam(name) for name in _NEW} | {"state": "planned"})
    .returning(moves)
)
_batch = given_rows("batch", client_id=("client_ids", sa.Uuid()), epoch=("epochs", sa.BigInteger()))
_ADD_CLIENTS = write(
    sa.insert(move_clients)
    .from_select(
        ["move_id", "client_id", "epoch"],
        sa.select(sa.bindparam("move_id", type_=sa.Uuid), clients.c.id, clients.c.epoch).where(
            clients.c.id == _batch.c.client_id,
            clients.c.epoch == _batch.c.epoch,
            clients.c.shard == sa.bindparam("source", type_=sa.Text),
        ),
    )
    .returning(move_clients.c.client_id)
)
_GET = read(sa.select(moves).where(moves.c.id == _ID))
_SOURCE_SINCE = read(
    sa.select(moves.c.source)
    .join(move_clients, move_clients.c.move_id == moves.c.id)
    .where(
        move_clients.c.client_id == sa.bindparam("client_id", type_=sa.Uuid),
        moves.c.switched_at > sa.bindparam("since", type_=sa.DateTime(timezone=True)),
    )
    .order_by(moves.c.switched_at)
    .limit(1)
)
_LIVING = read(sa.select(moves).where(_LIVES).order_by(moves.c.position, moves.c.id))
_NEWEST = read(
    sa.select(moves)
    .where(moves.c.id < sa.bindparam("before", type_=sa.Uuid))
    .order_by(moves.c.id.desc())
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_OF_REBALANCE = read(
    sa.select(moves)
    .where(
        moves.c.rebalance_id == sa.bindparam("rebalance_id", type_=sa.Uuid),
        sa.tuple_(moves.c.position, moves.c.id)
        > sa.tuple_(
            sa.bindparam("after_position", type_=sa.Integer),
            sa.bindparam("after_id", type_=sa.Uuid),
        ),
    )
    .order_by(moves.c.position, moves.c.id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_CLIENTS = read(
    sa.select(move_clients.c.client_id, move_clients.c.epoch, move_clients.c.ended)
    .where(move_clients.c.move_id == _ID)
    .order_by(move_clients.c.client_id)
)
# An abort is heard until the commit point; after it the way back is a move of its own.
_SET_WISH = write(
    sa.update(moves)
    .where(
        moves.c.id == _ID,
        _LIVES,
        (moves.c.state != "switched") | (sa.bindparam("wish", type_=sa.Text) != "abort"),
        # Who asked for an abort may hear of it already.
        moves.c.wish != "abort",
    )
    .values(wish=sa.bindparam("wish", type_=sa.Text), updated_at=sa.func.now())
    .returning(moves)
)
_LAST = UUID(int=2**128 - 1)
_FIRST = UUID(int=0)


async def create(connection: WriteConnection, new: NewMove) -> Move:
    """Order a move. It is begun by a worker, once its rebalance, if any, runs.

    Deleted clients move, too: their rows must be somewhere.

    Raises:
        AlreadyMoving, AlreadyFollowed, ClientsElsewhere: the transaction cannot go on.
    """
    values = {name: getattr(new, name) for name in _NEW}
    with _refused(new):
        row = await connection.returning(_INSERT, **values | {"predicted": dict(new.predicted)})
    with clients_free():
        added = await connection.changed(
            _ADD_CLIENTS,
            move_id=new.id,
            source=new.source,
            client_ids=list(new.clients),
            epochs=list(new.clients.values()),
        )
    missing = new.clients.keys() - {one["client_id"] for one in added}
    if missing:
        raise ClientsElsewhere(", ".join(sorted(map(str, missing))))
    if row is None:
        raise LookupError(str(new.id))
    return Move(**row)


async def get(connection: ReadConnection, move_id: UUID) -> Move | None:
    """A move, ended or not."""
    row = await connection.one(_GET, id_=move_id)
    return None if row is None else Move(**row)


async def living(connection: ReadConnection) -> list[Move]:
    """Moves that have not ended, in the order of their plan."""
    return [Move(**row) for row in await connection.all(_LIVING)]


async def newest(connection: ReadConnection, before: UUID | None, limit: int) -> list[Move]:
    """A page of all moves, the last ordered first, from behind `before`."""
    rows = await connection.all(_NEWEST, before=before or _LAST, limit=limit)
    return [Move(**row) for row in rows]


async def of_rebalance(
    connection: ReadConnection, rebalance_id: UUID, after: Move | None, limit: int
) -> list[Move]:
    """A page of a rebalance's moves in the order of its plan, from behind `after`."""
    position, move_id = (-1, _FIRST) if after is None else (after.position, after.id)
    rows = await connection.all(
        _OF_REBALANCE,
        rebalance_id=rebalance_id,
        after_position=position,
        after_id=move_id,
        limit=limit,
    )
    return [Move(**row) for row in rows]


async def clients_of(connection: ReadConnection, move_id: UUID) -> Sequence[MovingClient]:
    """The batch of a move, by client id."""
    return [MovingClient(**row) for row in await connection.all(_CLIENTS, id_=move_id)]


async def set_wish(connection: WriteConnection, move_id: UUID, wish: str) -> Move | None:
    """Let a move `run`, `pause` or `abort`; whoever runs it hears that within a second.

    None: it has ended, an abort was asked for before, or it has switched and cannot be aborted.
    """
    row = await connection.returning(_SET_WISH, id_=move_id, wish=wish)
    return None if row is None else Move(**row)


@contextmanager
def _refused(new: NewMove) -> Iterator[None]:
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        raise AlreadyFollowed(str(new.retries or new.reverses)) from error


@contextmanager
def clients_free() -> Iterator[None]:
    """While clients are taken into moves.

    Raises:
        AlreadyMoving, ClientsElsewhere.
    """
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        raise AlreadyMoving(error.diag.message_detail or "") from error
    except psycopg.Error as error:
        if error.sqlstate != BEING_ERASED:
            raise
        raise ClientsElsewhere("one is being erased") from error


async def first_source_since(
    connection: ReadConnection, client_id: UUID, since: datetime
) -> str | None:
    """From which shard a client went first behind `since`; None: it has stayed."""
    row = await connection.one(_SOURCE_SINCE, client_id=client_id, since=since)
    return None if row is None else row["source"]
