"""Undoing a move before its switch.

One transaction in the global database ends the move and sets N + 2 for the batch: the commit point
of a stale runner finds the move ended, and what it wrote anywhere is of an epoch that nobody will
ever use. Then the target is `gone`, then the source `open` at N + 2.

The target has half a second to answer. It cannot hold up the tenants, since N + 1 never stood in
the directory: nobody enters there whatever its row says. It is made `gone` as soon as it answers,
and the move tidies up until then.
"""

from __future__ import annotations

import asyncio
import logging

from global_db import move_endings, move_followups, moves
from global_db.connection import WriteConnection
from global_db.moves import Move, NewMove
from services.audit import Event, record_global
from services.fleet.moving.run import Run
from services.fleet.moving.steps import Step, drop_streams, ended_owners
from services.fleet.moving.throttle import Throttle
from services.fleet.moving.transitions import State
from services.identity.principal import Origin
from services.ids import new_id
from shards.copying import claims, fence, sweep
from shards.copying.errors import Unready

_log = logging.getLogger(__name__)
_TARGET_SECONDS = 0.5
_RETRIES = 3
"""So often a rebalance orders a move again that was aborted for a fault."""


async def abort(run: Run, fault: str | None, *, retry: bool) -> None:
    """End the move in the global database; `tidy_up` does the rest, where something was begun.

    Raises:
        Superseded: it is another run's, or it has switched.
        ClusterError.
    """
    touched = await run.has_leftovers()
    async with run.recording() as connection:
        move, _ = await move_endings.abort(
            connection, run.move, fault, retry=retry, touched=touched
        )
        origin = Origin(reason=run.move.reason or None)
        await record_global(connection, origin, _aborted(run.move, fault))
        if not touched:
            move = await move_endings.end(connection, move, State.ABORTED)
    run.move = move
    _log.info("move %s: aborted: %s", move.id, fault or "it was wished")


async def bring_back(run: Run) -> None:
    """The tenants can be written to again, on the source at N + 2."""
    dropping = asyncio.create_task(_leave_target(run))
    await asyncio.wait({dropping}, timeout=_TARGET_SECONDS)
    dropping.add_done_callback(_told_later)
    await claims.claim(run.source, run.mover)
    back = await fence.give_back(run.source, run.mover, run.batch)
    if back.clients != len(run.batch.clients):
        # A failover lost the ownership, and the fence with it; a way back has taken none so far.
        ended = await ended_owners(run)
        await fence.own(run.source, run.mover, run.batch, ended=ended)
        back = await fence.give_back(run.source, run.mover, run.batch)
    if back.clients != len(run.batch.clients):
        raise Unready(f"{run.source.name}: not every client of the batch could be given back")


async def leave_target(run: Run) -> None:
    """The target is `gone`, at an epoch that was never in the directory."""
    await _leave_target(run)


async def take_down(run: Run) -> None:
    """Drop the streams."""
    await drop_streams(run)


async def sweep_target(run: Run) -> None:
    """Delete what was copied."""
    await sweep.sweep(run.target, run.mover, run.batch, Throttle(run).gate)


async def end_abort(run: Run) -> None:
    """Nothing is left; the clients may move again, and in a rebalance they are to."""
    async with run.recording() as connection:
        move = await move_endings.end(connection, run.move, State.ABORTED)
        await _order_again(connection, run)
    run.move = move


STEPS = tuple(map(Step, (bring_back, leave_target, take_down, sweep_target, end_abort)))
"""What tidies up after an abort."""


async def _leave_target(run: Run) -> None:
    await claims.claim(run.target, run.mover)
    dropped = await fence.drop_import(run.target, run.mover, run.batch)
    if dropped.clients != len(run.batch.clients):
        # It aborted before it took anything; as its owner it can leave, and sweep.
        await fence.begin_import(run.target, run.mover, run.batch)
        dropped = await fence.drop_import(run.target, run.mover, run.batch)
    if dropped.clients != len(run.batch.clients):
        raise Unready(f"{run.target.name}: not every client of the batch could be dropped")


async def _order_again(connection: WriteConnection, run: Run) -> None:
    move = run.move
    if not move.facts.get("retry") or not await move_followups.may_retry(
        connection, move, _RETRIES
    ):
        return
    again = NewMove(
        id=new_id(),
        source=move.source,
        target=move.target,
        clients={client: epoch + 2 for client, epoch in run.batch.epochs.items()},
        rebalance_id=move.rebalance_id,
        position=move.position,
        predicted=move.predicted,
        reason=move.reason,
        created_by=move.created_by,
        retries=move.id,
    )
    await moves.create(connection, again)
    _log.info("move %s is ordered again as %s", move.id, again.id)


def _aborted(move: Move, fault: str | None) -> Event:
    return Event(
        "move.abort", "move", move.id, {"state": move.state}, {"state": "aborted", "fault": fault}
    )


def _told_later(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.info("the target of an aborted move is left for later: %s", task.exception())
