"""What moves make on shards and must remove again: recorded before it is made (see `moves`).

A tenant's rows are debris, too: on the target until the switch, on the source after it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from global_db.columns import given_rows
from global_db.connection import ReadConnection, WriteConnection
from global_db.move_tables import ENDED, in_state, leftovers, moves
from global_db.moves import Move
from global_db.statement import read, write


class HeldByAnother(Exception):
    """Another move has left the same thing there and has not removed it yet."""


@dataclass(frozen=True, slots=True)
class Thing:
    """Something on a shard. `kind`: slot, publication, subscription or tenant."""

    shard: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Leftover:
    """A thing that a move has made, or was about to make."""

    id: UUID
    move_id: UUID
    shard: str
    kind: str
    name: str
    created_at: datetime
    removed_at: datetime | None

    @property
    def thing(self) -> Thing:
        """What it is, whoever made it."""
        return Thing(self.shard, self.kind, self.name)


# The row of the move is locked: a run that was superseded records nothing behind its successor,
# who would never look for it.
_run = (
    sa.select(moves.c.id)
    .where(
        moves.c.id == sa.bindparam("move_id", type_=sa.Uuid),
        moves.c.generation == sa.bindparam("generation_", type_=sa.BigInteger),
    )
    .with_for_update(read=True)
    .cte("run")
)
_things = given_rows(
    "things",
    id=("ids", sa.Uuid()),
    shard=("shards", sa.Text()),
    kind=("kinds", sa.Text()),
    name=("names", sa.Text()),
)
_new = insert(leftovers).from_select(
    ["id", "move_id", "shard", "kind", "name"],
    sa.select(_things.c.id, _run.c.id, _things.c.shard, _things.c.kind, _things.c.name),
)
_RECORD = write(
    _new.on_conflict_do_update(
        index_elements=[leftovers.c.shard, leftovers.c.kind, leftovers.c.name],
        index_where=leftovers.c.removed_at.is_(None),
        set_={"name": _new.excluded.name},
        where=leftovers.c.move_id == _new.excluded.move_id,
    ).returning(leftovers.c.id)
)
_REMOVED = write(
    sa.update(leftovers)
    .where(
        leftovers.c.move_id == sa.bindparam("move_id_", type_=sa.Uuid),
        leftovers.c.removed_at.is_(None),
        leftovers.c.shard == sa.bindparam("shard_", type_=sa.Text),
        leftovers.c.kind == sa.func.any(sa.bindparam("kinds", type_=ARRAY(sa.Text))),
        leftovers.c.name == sa.func.any(sa.bindparam("names", type_=ARRAY(sa.Text))),
        sa.exists().where(
            moves.c.id == leftovers.c.move_id,
            moves.c.generation == sa.bindparam("generation_", type_=sa.BigInteger),
        ),
    )
    .values(removed_at=sa.func.now())
)
_MENDED = write(
    sa.update(leftovers)
    .where(
        leftovers.c.removed_at.is_(None),
        leftovers.c.shard == sa.bindparam("shard_", type_=sa.Text),
        leftovers.c.kind == sa.bindparam("kind_", type_=sa.Text),
        leftovers.c.name == sa.bindparam("name_", type_=sa.Text),
        sa.exists().where(moves.c.id == leftovers.c.move_id, in_state(*ENDED)),
    )
    .values(removed_at=sa.func.now())
)
_LIVING = read(
    sa.select(leftovers)
    .where(leftovers.c.removed_at.is_(None))
    .order_by(leftovers.c.shard, leftovers.c.kind, leftovers.c.name)
)
_OF_MOVE = read(
    sa.select(leftovers)
    .where(
        leftovers.c.move_id == sa.bindparam("move_id", type_=sa.Uuid),
        leftovers.c.removed_at.is_(None),
    )
    .order_by(leftovers.c.shard, leftovers.c.kind, leftovers.c.name)
)


async def record(
    connection: WriteConnection, move: Move, things: Collection[tuple[UUID, Thing]]
) -> None:
    """Record what the run is about to make, each with an id of its own; again is once.

    Raises:
        HeldByAnother: also when the run is over. The transaction is to be given up.
    """
    rows = await connection.changed(
        _RECORD,
        move_id=move.id,
        generation_=move.generation,
        ids=[one for one, _ in things],
        shards=[thing.shard for _, thing in things],
        kinds=[thing.kind for _, thing in things],
        names=[thing.name for _, thing in things],
    )
    if len(rows) < len(things):
        raise HeldByAnother(str(move.id))


async def removed(
    connection: WriteConnection,
    move: Move,
    shard: str,
    kinds: Collection[str],
    names: Collection[str],
) -> None:
    """Record that the run has removed these of its things, or never made them."""
    await connection.send(
        _REMOVED,
        move_id_=move.id,
        generation_=move.generation,
        shard_=shard,
        kinds=list(kinds),
        names=list(names),
    )


async def mended(connection: WriteConnection, thing: Thing) -> None:
    """Record that somebody else has removed what a move left that is over."""
    await connection.send(_MENDED, shard_=thing.shard, kind_=thing.kind, name_=thing.name)


async def living(connection: ReadConnection) -> list[Leftover]:
    """Everything that moves have made and not removed."""
    return [Leftover(**row) for row in await connection.all(_LIVING)]


async def of_move(connection: ReadConnection, move_id: UUID) -> list[Leftover]:
    """What one move has made and not removed."""
    return [Leftover(**row) for row in await connection.all(_OF_MOVE, move_id=move_id)]
