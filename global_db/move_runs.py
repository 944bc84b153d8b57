"""What a run writes into its move's row: states, facts, progress.

Every statement is conditional on the run's generation. Whoever finds no row has been superseded and
must stop; what it does on shards is refused there by the same number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from global_db.connection import WriteConnection
from global_db.move_tables import moves
from global_db.moves import Move
from global_db.statement import write


class RunEnded(Exception):
    """The run is over: the move was claimed again, or is no longer in the state it was in."""


MINE = sa.and_(
    moves.c.id == sa.bindparam("id_", type_=sa.Uuid),
    moves.c.generation == sa.bindparam("generation_", type_=sa.BigInteger),
)
# The seconds of the state that ends, added to those of earlier stays in it.
PHASES = sa.literal_column(
    """jsonb_build_object('phases', coalesce(moves.actual->'phases', '{}')
       || jsonb_build_object(moves.state, round(coalesce(
            CAST(moves.actual->'phases'->>moves.state AS numeric), 0)
            + CAST(extract(epoch FROM clock_timestamp() - moves.state_since) AS numeric), 3)))""",
    JSONB,
)
_advance = (
    sa.update(moves)
    .where(MINE, moves.c.state == sa.bindparam("before", type_=sa.Text))
    .values(
        state=sa.bindparam("after", type_=sa.Text),
        state_since=sa.func.clock_timestamp(),
        actual=moves.c.actual.op("||")(PHASES),
        facts=moves.c.facts.op("||")(sa.bindparam("facts", type_=JSONB)),
        attempts=sa.case((sa.bindparam("keep_fault", type_=sa.Boolean), moves.c.attempts), else_=0),
        fault=sa.case((sa.bindparam("keep_fault", type_=sa.Boolean), moves.c.fault), else_=None),
        updated_at=sa.func.now(),
    )
    .returning(moves)
)
_ADVANCE = write(_advance)
_NOTE = write(
    sa.update(moves)
    .where(MINE)
    .values(
        facts=moves.c.facts.op("||")(sa.bindparam("facts", type_=JSONB)),
        actual=moves.c.actual.op("||")(sa.bindparam("actual", type_=JSONB)),
        progress=moves.c.progress.op("||")(sa.bindparam("progress", type_=JSONB)),
        updated_at=sa.func.now(),
    )
    .returning(moves)
)
_STAND = write(
    sa.select(moves).where(moves.c.id == sa.bindparam("id_", type_=sa.Uuid)).with_for_update()
)


async def advance(
    connection: WriteConnection,
    move: Move,
    state: str,
    facts: Mapping[str, Any] | None = None,
    *,
    keep_fault: bool = False,
) -> Move:
    """Record the next state; what was faulty before counts no more, unless it is kept.

    Raises:
        RunEnded.
    """
    row = await connection.returning(
        _ADVANCE,
        id_=move.id,
        generation_=move.generation,
        before=move.state,
        after=state,
        facts=dict(facts or {}),
        keep_fault=keep_fault,
    )
    if row is None:
        raise RunEnded(str(move.id))
    return Move(**row)


async def note(
    connection: WriteConnection,
    move: Move,
    *,
    facts: Mapping[str, Any] | None = None,
    actual: Mapping[str, Any] | None = None,
    progress: Mapping[str, Any] | None = None,
) -> Move:
    """Add to what is known of the move; the state stays.

    Raises:
        RunEnded.
    """
    row = await connection.returning(
        _NOTE,
        id_=move.id,
        generation_=move.generation,
        facts=dict(facts or {}),
        actual=dict(actual or {}),
        progress=dict(progress or {}),
    )
    if row is None:
        raise RunEnded(str(move.id))
    return Move(**row)


async def stand(connection: WriteConnection, move_id: UUID) -> Move:
    """The move as it stands, behind every transaction that is at it: whose COMMIT was sent and
    whose answer was lost holds the row until it has an outcome."""
    row = await connection.returning(_STAND, id_=move_id)
    if row is None:
        raise RunEnded(str(move_id))
    return Move(**row)
