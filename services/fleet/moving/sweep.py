"""Behind the switch: the way back, the grace, and the sweep of the source.

The forward stream goes first, from its end: with it, deletes on the source would follow to the
target, and on PostgreSQL 15 what the way back brings would be sent round.
"""

from __future__ import annotations

import logging

from global_db import move_claims, move_endings
from services.fleet.moving.run import Run
from services.fleet.moving.steps import Step, drop_stream
from services.fleet.moving.switch import leave_for_good
from services.fleet.moving.throttle import Throttle
from services.fleet.moving.transitions import State
from shards.copying import fence, subscriptions, sweep

_log = logging.getLogger(__name__)


async def leave_source(run: Run) -> None:
    """Once more: a failover may have lost it, and a runner may have died before it."""
    await leave_for_good(run)


async def drop_forward(run: Run) -> None:
    """Nothing comes through it any more: the source is left."""
    await drop_stream(run, back=False)


async def open_way_back(run: Run) -> None:
    """The source follows the target from now on; the move can be reversed."""
    address = run.target.login.direct(run.target.primary_address())
    await subscriptions.subscribe(run.source, run.mover, address, back=True)
    await run.note(way_back=True)


async def drop_way_back(run: Run) -> None:
    """The source follows no longer."""
    await drop_stream(run, back=True)


async def sweep_source(run: Run) -> None:
    """Delete what has moved away; the `gone` rows stay for ever."""
    await sweep.sweep(run.source, run.mover, run.batch, Throttle(run).gate)


async def release_target(run: Run) -> None:
    """The tenants belong to no move any more."""
    await fence.release(run.target, run.mover, run.batch)


async def end_move(run: Run) -> None:
    """Nothing is left; the clients may move again."""
    async with run.recording() as connection:
        run.move = await move_endings.end(connection, run.move, State.SWEPT)
    _log.info("move %s: swept", run.move.id)


LEAVING = tuple(map(Step, (leave_source, drop_forward)))
RETURNING = (Step(open_way_back),)
"""While the grace lasts."""
SWEEPING = tuple(map(Step, (drop_way_back, sweep_source, release_target, end_move)))


async def may_sweep(run: Run) -> bool:
    """Whether the grace has ended; from then on nobody can reverse the move.

    Raises:
        Superseded, ClusterError.
    """
    async with run.recording() as connection:
        move = await move_claims.begin_sweep(connection, run.move)
    run.move = move or run.move
    return move is not None
