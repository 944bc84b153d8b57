"""The ends of a move: the commit point, the abort, the way back, and the last word.

Each is part of one transaction, and each begins with the move's row: its lock puts the commit point
and an abort one after the other, and the second finds the state changed (I6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from global_db import moves as orders
from global_db.connection import WriteConnection
from global_db.move_runs import MINE, PHASES, RunEnded
from global_db.move_tables import STARTED, in_state, leftovers, move_clients, moves
from global_db.moves import Move, NewMove
from global_db.statement import write
from global_db.tables import clients


class NotReversible(Exception):
    """The move has not switched, has no way back yet, or is being swept."""


class BatchChanged(Exception):
    """The directory does not have the whole batch on the source at its epochs."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """A tenant whose place changed: the epoch it has now."""

    client_id: UUID
    epoch: int


_ID = sa.bindparam("id_", type_=sa.Uuid)
_entering = {
    "state_since": sa.func.clock_timestamp(),
    "updated_at": sa.func.now(),
    "not_before": None,
    "attempts": 0,
}
_SWITCH = write(
    sa.update(moves)
    .where(MINE, in_state("fenced"))
    .values(
        state="switched",
        switched_at=sa.func.clock_timestamp(),
        sweep_after=sa.func.clock_timestamp()
        + sa.func.make_interval(0, 0, 0, 0, 0, 0, sa.bindparam("grace", type_=sa.Float)),
        actual=moves.c.actual.op("||")(PHASES),
        fault=None,
        wish="run",
        **_entering,
    )
    .returning(moves)
)
_ABORT = write(
    sa.update(moves)
    .where(
        MINE,
        in_state("planned", *STARTED),
    )
    .values(
        state="aborted",
        actual=moves.c.actual.op("||")(PHASES),
        fault=sa.bindparam("fault", type_=sa.Text),
        facts=moves.c.facts.op("||")(sa.bindparam("facts", type_=JSONB)),
        **_entering,
    )
    .returning(moves)
)
_END = write(
    sa.update(moves)
    .where(MINE, moves.c.state == sa.bindparam("before", type_=sa.Text))
    .values(
        state=sa.bindparam("after", type_=sa.Text),
        actual=moves.c.actual.op("||")(PHASES),
        lease_owner=None,
        lease_until=None,
        state_since=sa.func.clock_timestamp(),
        updated_at=sa.func.now(),
        not_before=None,
    )
    .returning(moves)
)
_of_batch = sa.and_(
    move_clients.c.move_id == _ID,
    ~move_clients.c.ended,
    clients.c.id == move_clients.c.client_id,
    clients.c.shard == sa.bindparam("source", type_=sa.Text),
    clients.c.epoch == move_clients.c.epoch,
)
_REPLACE = write(
    sa.update(clients)
    .where(_of_batch)
    .values(
        shard=sa.bindparam("shard_", type_=sa.Text),
        epoch=clients.c.epoch + sa.bindparam("steps", type_=sa.BigInteger),
        updated_at=sa.func.now(),
    )
    .returning(clients.c.id.label("client_id"), clients.c.epoch)
)
_BOUND = write(
    sa.select(sa.func.set_config("lock_timeout", sa.bindparam("limit", type_=sa.Text), True))
)
_ENDED = write(
    sa.update(move_clients)
    .where(move_clients.c.move_id == _ID, ~move_clients.c.ended)
    .values(ended=True)
)
_LEAVE_OUT = write(
    sa.update(move_clients)
    .where(
        move_clients.c.move_id == _ID,
        ~move_clients.c.ended,
        sa.exists().where(
            moves.c.id == _ID,
            moves.c.generation == sa.bindparam("generation_", type_=sa.BigInteger),
            in_state("planned"),
        ),
        sa.exists().where(clients.c.id == move_clients.c.client_id, clients.c.pinned),
    )
    .values(ended=True)
    .returning(move_clients.c.client_id)
)
_REMOVE_ALL = write(
    sa.update(leftovers)
    .where(leftovers.c.move_id == _ID, leftovers.c.removed_at.is_(None))
    .values(removed_at=sa.func.now())
)
# The batch's rows on the target are the living ones now, those on the source are debris.
_TURN_DEBRIS = write(
    sa.update(leftovers)
    .where(
        leftovers.c.move_id == _ID,
        leftovers.c.kind == "tenant",
        leftovers.c.removed_at.is_(None),
    )
    .values(shard=sa.bindparam("source", type_=sa.Text))
)
_TO_REVERSE = write(
    sa.update(moves)
    .where(
        moves.c.id == _ID,
        in_state("switched"),
        moves.c.facts.has_key("way_back"),
        ~moves.c.facts.has_key("sweeping"),
    )
    .values(
        state="swept",
        generation=moves.c.generation + 1,
        lease_owner=None,
        lease_until=None,
        state_since=sa.func.clock_timestamp(),
        updated_at=sa.func.now(),
        actual=moves.c.actual.op("||")(PHASES),
    )
    .returning(moves)
)
_INHERIT = write(
    sa.update(leftovers)
    .where(leftovers.c.move_id == _ID, leftovers.c.removed_at.is_(None))
    .values(move_id=sa.bindparam("heir", type_=sa.Uuid))
)


async def switch(
    connection: WriteConnection, move: Move, batch: int, grace: float
) -> tuple[Move, list[Replaced]]:
    """The commit point: the directory names the target for the whole batch, N -> N + 1.

    Raises:
        RunEnded, BatchChanged: nothing may be committed.
    """
    await connection.send(_BOUND, limit="500ms")
    # Callers wait at a fence meanwhile: all is sent before the first answer is waited for.
    switched = await connection.ask(_SWITCH, id_=move.id, generation_=move.generation, grace=grace)
    replaced = await connection.ask(_REPLACE, **_replacing(move, move.target, 1))
    await connection.send(_TURN_DEBRIS, id_=move.id, source=move.source)
    rows = await switched.rows()
    if not rows:
        raise RunEnded(str(move.id))
    moved = [Replaced(**row) for row in await replaced.rows()]
    if len(moved) != batch:
        raise BatchChanged(f"{len(moved)} of {batch} clients are as the move knows them")
    return Move(**rows[0]), moved


async def abort(
    connection: WriteConnection, move: Move, fault: str | None, *, retry: bool, touched: bool
) -> tuple[Move, list[Replaced]]:
    """End the move before its switch. Where residency was `touched` the batch goes on where it is,
    at N + 2; else nothing is left to do, and the batch is free at once.

    `retry`: a running rebalance may order it again.

    Raises:
        RunEnded: another run has it, or it has switched.
    """
    row = await connection.returning(
        _ABORT,
        id_=move.id,
        generation_=move.generation,
        fault=fault,
        facts={"retry": retry},
    )
    if row is None:
        raise RunEnded(str(move.id))
    kept = await _replaced(connection, move, move.source, 2) if touched else []
    return Move(**row), kept


async def end(connection: WriteConnection, move: Move, state: str) -> Move:
    """The last word: nothing of the move is left anywhere, and its clients may move again.

    Raises:
        RunEnded.
    """
    row = await connection.returning(
        _END, id_=move.id, generation_=move.generation, before=move.state, after=state
    )
    if row is None:
        raise RunEnded(str(move.id))
    await connection.send(_REMOVE_ALL, id_=move.id)
    await connection.send(_ENDED, id_=move.id)
    return Move(**row)


async def leave_out_pinned(connection: WriteConnection, move: Move) -> list[UUID]:
    """Take clients out of a batch that were pinned since it was planned."""
    rows = await connection.changed(_LEAVE_OUT, id_=move.id, generation_=move.generation)
    return [row["client_id"] for row in rows]


async def reverse(connection: WriteConnection, new: NewMove) -> Move:
    """Order the way back of the move that `new` reverses; that one ends here, not swept.

    What it would have swept is what the way back fills, and all it left behind is the new move's
    to remove.

    Raises:
        NotReversible; as `moves.create`.
    """
    if new.reverses is None:
        raise NotReversible("which move?")
    row = await connection.returning(_TO_REVERSE, id_=new.reverses)
    if row is None:
        raise NotReversible(str(new.reverses))
    await connection.send(_ENDED, id_=new.reverses)
    ordered = await orders.create(connection, new)
    await connection.send(_INHERIT, id_=new.reverses, heir=new.id)
    return ordered


async def _replaced(
    connection: WriteConnection, move: Move, shard: str, steps: int
) -> list[Replaced]:
    rows = await connection.changed(_REPLACE, **_replacing(move, shard, steps))
    return [Replaced(**row) for row in rows]


def _replacing(move: Move, shard: str, steps: int) -> dict[str, Any]:
    return {"id_": move.id, "source": move.source, "shard_": shard, "steps": steps}
