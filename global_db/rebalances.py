"""Rebalances: a plan that is being carried out as moves. One lives at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
from psycopg.types.json import Jsonb
from sqlalchemy.dialects.postgresql import JSONB

from global_db.columns import given_rows
from global_db.connection import ReadConnection, WriteConnection
from global_db.move_tables import in_state, move_clients, moves, rebalances
from global_db.moves import ClientsElsewhere, NewMove, clients_free
from global_db.statement import read, write
from global_db.tables import clients

LIVING = ("planned", "running", "paused")
_CHUNK = 500  # moves in a statement: some ten thousands of clients


class AnotherLives(Exception):
    """A rebalance is under way: two plans made from the same facts would undo each other."""


@dataclass(frozen=True, slots=True)
class Rebalance:
    """One row. `plan` is what was foreseen, `settings` how gently it runs (MoveLimits)."""

    id: UUID
    goal: str
    state: str
    reason: str
    plan: dict[str, Any]
    created_by: UUID | None
    created_at: datetime
    finished_at: datetime | None
    settings: dict[str, Any]
    updated_at: datetime

    @property
    def living(self) -> bool:
        """Whether it still has something to do, if only to be resumed."""
        return self.state in LIVING


@dataclass(frozen=True, slots=True)
class NewRebalance:
    """A rebalance to make: it is planned, and none of its moves begins before it runs."""

    id: UUID
    goal: str
    reason: str
    plan: dict[str, Any]
    settings: dict[str, Any]


_ID = sa.bindparam("id_", type_=sa.Uuid)
# Written out, as the partial index has it.
_LIVES = rebalances.c.state.in_([sa.literal_column(f"'{state}'") for state in LIVING])
_INSERT = write(
    sa.insert(rebalances)
    .values(
        state="planned",
        **{name: sa.bindparam(name) for name in ("id", "goal", "reason", "plan", "settings")},
    )
    .returning(rebalances)
)
_LOCK_PLANNED = write(
    sa.select(rebalances.c.id)
    .where(rebalances.c.id == _ID, rebalances.c.state == sa.literal_column("'planned'"))
    .with_for_update()
)
_GET = read(sa.select(rebalances).where(rebalances.c.id == _ID))
_LIVING = read(sa.select(rebalances).where(_LIVES))
_NEWEST = read(
    sa.select(rebalances)
    .order_by(rebalances.c.id.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_CHANGE = write(
    sa.update(rebalances)
    .where(
        rebalances.c.id == _ID,
        rebalances.c.state == sa.func.any(sa.bindparam("among", type_=sa.ARRAY(sa.Text))),
    )
    .values(
        state=sa.bindparam("state"),
        updated_at=sa.func.now(),
        finished_at=sa.case((sa.bindparam("ends", type_=sa.Boolean), sa.func.now())),
    )
    .returning(rebalances)
)
# A fenced one is about to switch, and its tenants wait: it goes through.
_ABORT = write(
    sa.update(moves)
    .where(
        moves.c.rebalance_id == _ID,
        moves.c.wish != "abort",
        in_state("planned", "copying", "catching_up", "verifying"),
    )
    .values(wish="abort", updated_at=sa.func.now())
    .returning(moves.c.id)
)


_ordered = given_rows(
    "given",
    id=("ids", sa.Uuid()),
    source=("sources", sa.Text()),
    target=("targets", sa.Text()),
    position=("positions", sa.Integer()),
    predicted=("predicteds", JSONB()),
)
_ADD_MOVES = write(
    sa.insert(moves).from_select(
        ["id", "source", "target", "position", "predicted", "rebalance_id", "reason", "state"],
        sa.select(
            _ordered,
            sa.bindparam("rebalance_id", type_=sa.Uuid),
            sa.bindparam("reason", type_=sa.Text),
            sa.literal_column("'planned'"),
        ),
    )
)
_placed = given_rows(
    "given",
    move_id=("move_ids", sa.Uuid()),
    client_id=("client_ids", sa.Uuid()),
    epoch=("epochs", sa.BigInteger()),
    source=("sources", sa.Text()),
)
_ADD_CLIENTS = write(
    sa.insert(move_clients)
    .from_select(
        ["move_id", "client_id", "epoch"],
        sa.select(_placed.c.move_id, clients.c.id, clients.c.epoch).where(
            clients.c.id == _placed.c.client_id,
            clients.c.epoch == _placed.c.epoch,
            clients.c.shard == _placed.c.source,
        ),
    )
    .returning(move_clients.c.client_id)
)


async def insert(connection: WriteConnection, new: NewRebalance) -> Rebalance:
    """Add a planned rebalance.

    Raises:
        AnotherLives: one is planned, running or paused.
    """
    try:
        row = await connection.returning(
            _INSERT,
            id=new.id,
            goal=new.goal,
            reason=new.reason,
            plan=Jsonb(new.plan),
            settings=Jsonb(new.settings),
        )
    except psycopg.errors.UniqueViolation as error:
        raise AnotherLives from error
    if row is None:
        raise LookupError(str(new.id))
    return Rebalance(**row)


async def get(connection: ReadConnection, rebalance_id: UUID) -> Rebalance | None:
    """One rebalance."""
    row = await connection.one(_GET, id_=rebalance_id)
    return None if row is None else Rebalance(**row)


async def living(connection: ReadConnection) -> Rebalance | None:
    """The one that lives, if any does."""
    row = await connection.one(_LIVING)
    return None if row is None else Rebalance(**row)


async def newest(connection: ReadConnection, most: int) -> list[Rebalance]:
    """The last ones, newest first: an id tells when it was made."""
    return [Rebalance(**row) for row in await connection.all(_NEWEST, most=most)]


async def change(
    connection: WriteConnection, rebalance_id: UUID, state: str, among: Sequence[str]
) -> Rebalance | None:
    """Bring it to `state` from one of `among`; None when it is in none of them (any more)."""
    row = await connection.returning(
        _CHANGE, id_=rebalance_id, state=state, among=list(among), ends=state not in LIVING
    )
    return None if row is None else Rebalance(**row)


async def lock_planned(connection: WriteConnection, rebalance_id: UUID) -> bool:
    """Whether it is still planned, and then stays so until this transaction has ended: who stops it
    wishes the end of all its moves, and must not miss those that are being added."""
    return await connection.returning(_LOCK_PLANNED, id_=rebalance_id) is not None


async def abort_moves(connection: WriteConnection, rebalance_id: UUID) -> int:
    """Wish that its moves end which are not fenced yet; answers how many."""
    return len(await connection.changed(_ABORT, id_=rebalance_id))


async def add_moves(
    connection: WriteConnection, rebalance: Rebalance, ordered: Sequence[NewMove]
) -> None:
    """Order many moves at once, in the order given.

    Raises:
        AlreadyMoving: a client is in a living move. ClientsElsewhere: a client is not where it was.
    """
    for start in range(0, len(ordered), _CHUNK):
        await _add_chunk(connection, rebalance, ordered[start : start + _CHUNK])


async def _add_chunk(
    connection: WriteConnection, rebalance: Rebalance, ordered: Sequence[NewMove]
) -> None:
    await connection.send(
        _ADD_MOVES,
        rebalance_id=rebalance.id,
        reason=rebalance.reason,
        ids=[one.id for one in ordered],
        sources=[one.source for one in ordered],
        targets=[one.target for one in ordered],
        positions=[one.position for one in ordered],
        predicteds=[Jsonb(one.predicted) for one in ordered],
    )
    placed = [(one.id, *client, one.source) for one in ordered for client in one.clients.items()]
    move_ids, client_ids, epochs, sources = map(list, zip(*placed, strict=True))
    with clients_free():
        added = await connection.changed(
            _ADD_CLIENTS, move_ids=move_ids, client_ids=client_ids, epochs=epochs, sources=sources
        )
    missing = set(client_ids) - {row["client_id"] for row in added}
    if missing:
        raise ClientsElsewhere(", ".join(sorted(map(str, missing))))
