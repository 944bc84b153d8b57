"""What follows when moves have ended: another try, and the end of their rebalance."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from global_db.connection import WriteConnection
from global_db.move_tables import ENDED, in_state, leftovers, moves, rebalances
from global_db.moves import Move
from global_db.statement import read, write

_ID = sa.bindparam("id_", type_=sa.Uuid)
_chain = (
    sa.select(moves.c.id, moves.c.retries, sa.literal(1).label("length"))
    .where(moves.c.id == _ID)
    .cte("chain", recursive=True)
)
_earlier = moves.alias("earlier")
_chain = _chain.union_all(
    sa.select(_earlier.c.id, _earlier.c.retries, _chain.c.length + 1).where(
        _earlier.c.id == _chain.c.retries
    )
)
_TRIED = read(sa.select(sa.func.max(_chain.c.length).label("tried")))
_REBALANCE = read(
    sa.select(rebalances.c.state)
    .join(moves, moves.c.rebalance_id == rebalances.c.id)
    .where(moves.c.id == _ID)
)
_FINISH = write(
    sa.update(rebalances)
    .where(
        rebalances.c.state == "running",
        # One without any is about to get them.
        sa.exists().where(moves.c.rebalance_id == rebalances.c.id),
        ~sa.exists().where(
            moves.c.rebalance_id == rebalances.c.id,
            ~in_state(*ENDED),
        ),
        ~sa.exists().where(
            moves.c.rebalance_id == rebalances.c.id,
            in_state("aborted"),
            moves.c.id.in_(sa.select(leftovers.c.move_id).where(leftovers.c.removed_at.is_(None))),
        ),
    )
    .values(state="finished", finished_at=sa.func.now(), updated_at=sa.func.now())
    .returning(rebalances.c.id)
)


async def may_retry(connection: WriteConnection, move: Move, most: int) -> bool:
    """Whether an aborted move of a running rebalance was tried fewer than `most` times again."""
    rebalance = await connection.one(_REBALANCE, id_=move.id)
    if rebalance is None or rebalance["state"] not in ("running", "paused"):
        return False
    row = await connection.one(_TRIED, id_=move.id)
    return row is not None and row["tried"] <= most


async def finish_rebalances(connection: WriteConnection) -> list[UUID]:
    """Running rebalances whose moves have all ended are finished."""
    return [row["id"] for row in await connection.changed(_FINISH)]
