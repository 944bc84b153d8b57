"""The switch: from the fence on the source to the commit point in the directory.

Writers and readers of the batch wait meanwhile, so it is short, bounded, and either done or undone.

    source   fence + marker ─┬─ on every standby's disk → still fenced, same timeline ──┐
    target                   └─ marker applied → way back → open → on standbys' disks ─┐│
    directory                                                                          commit point

A marker seen on the target proves that all before it was applied, and nothing about the source's
standbys: one that is promoted without the fence would be open at N. So the fence is on all their
disks before the directory changes, and so is the opening; I1 and I3 survive either failover.

The forward stream stays up until after the commit point: the source is fenced, so nothing can come
through it any more, and dropping it here would only make callers wait. It goes before the way back
is subscribed to, and before any row of the source is swept.

Before the fence all of it is rehearsed for nobody, over the connections that the switch then uses:
see `lines`. That is no step: nothing is there behind it that was not there before.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from global_db import move_runs
from global_db.errors import ClusterError
from global_db.move_endings import BatchChanged
from services.fleet.moving import lines
from services.fleet.moving.lines import Lines
from services.fleet.moving.run import Run, Worthless
from shards.copying import fence
from shards.copying.errors import Superseded, Unready
from shards.copying.fence import Changed, Fenced

_log = logging.getLogger(__name__)


class NotFenced(Exception):
    """Writers held their tenants' locks for too long, or a server did not answer at the rehearsal:
    nothing was fenced, nobody waited long."""


class TooSlow(Exception):
    """The pause reached its bound."""


@dataclass
class _Switch:
    """One switch under way: the run, the connections it goes over, what its steps hand to each
    other, and the milliseconds that each took."""

    run: Run
    lines: Lines
    fenced: Fenced = field(init=False)
    opened: Changed = field(init=False)
    took: dict[str, float] = field(default_factory=dict)


_Act = Callable[[_Switch], Awaitable[None]]


async def switch(run: Run) -> None:
    """Move the batch's place in the directory; the move is `fenced` in the global database already.

    Raises:
        NotFenced; anything else: to be given up, unless `settle` finds it done.
    """
    async with lines.kept(run) as kept:
        at = _Switch(run, kept)
        await _rehearse(at)
        began = time.monotonic()
        await _do(at, _FENCING)
        # Abandoned, not awaited, when it is too slow: a server that hangs answers no cancellation
        # either, and whatever of it still arrives finds its conditions gone.
        await _bounded(_behind_fence(at), run.terms.pause_seconds)
        pause_ms = _milliseconds_since(began)
    await _do(at, _LEAVING)
    await run.measure(pause_ms=pause_ms, switch_ms=at.took)
    _log.info("move %s: switched, after a pause of %s ms", run.move.id, pause_ms)


async def leave_for_good(run: Run) -> None:
    """Nobody waits at the source any more: it is `gone` there. May be repeated."""
    _demand(run, await fence.leave(run.source, run.mover, run.batch), "left by the move")


async def settle(run: Run) -> None:
    """Learn how the move stands, when a COMMIT got no answer. One that is still under way holds the
    lock on the move's row that is asked for here, so the answer is final.

    Raises:
        Superseded, ClusterError.
    """
    async with run.recording() as connection:
        found = await move_runs.stand(connection, run.move.id)
    if found.generation != run.move.generation:
        raise Superseded(str(run.move.id))
    run.move = found


async def fence_source(at: _Switch) -> None:
    """The pause begins: nobody enters the batch's tenants on the source any more."""
    run = at.run
    try:
        at.fenced = await fence.fence(at.lines.source, run.mover, run.batch)
    except Unready as error:
        raise NotFenced(str(error)) from error
    _demand(run, at.fenced, "fenced")


async def flush_source(at: _Switch) -> None:
    """Whichever standby of the source is promoted from now on has the fence."""
    await lines.flushed(at.run, at.lines.source, at.fenced)


async def last_look(at: _Switch) -> None:
    """The source is the server that was fenced, and still is.

    The fence is on its standbys' disks by now, so what is found here holds from now on: a failover
    keeps it, and whoever undoes it ends this run in the directory first.
    """
    run = at.run
    place, rows = await lines.look(run, at.lines)
    if not run.expect({"source": place}):
        raise Worthless("the source failed over behind the fence")
    mine = [
        row
        for row in rows
        if (row.state, row.move_id, row.generation, row.epoch)
        == ("fenced", run.move.id, run.move.generation, run.batch.epochs[row.client_id])
    ]
    if len(mine) != len(run.batch.clients):
        raise Worthless("the source is not fenced any more")


async def open_target(at: _Switch) -> None:
    """The marker is awaited, the way back advanced and the batch opened, in one transaction there:
    what came through the forward stream does not go back, and what is written from now on does."""
    run = at.run
    at.opened = await fence.open_behind(
        at.lines.target, run.mover, run.batch, at.fenced.number, run.terms.pause_seconds
    )
    _demand(run, at.opened, "open on the target")
    if at.opened.timeline != run.move.facts["target"]["timeline"]:
        # What was applied is awaited by no standby until now, and confirmed to the source: the
        # promoted server may lack rows that are never sent again, whatever marker it has.
        raise Worthless("the target failed over behind the last comparison")


async def flush_target(at: _Switch) -> None:
    """Whichever standby of the target is promoted has the opening and all that came before it."""
    await lines.flushed(at.run, at.lines.target, at.opened)


async def commit_point(at: _Switch) -> None:
    """The point of no return: one transaction, with an audit row for each tenant (I5, I6)."""
    run = at.run
    try:
        async with run.recording(at.lines.directory) as connection:
            move = await lines.commit(run, connection, run.move)
    except BatchChanged as error:
        raise Worthless(str(error)) from error
    run.move = move


async def leave(at: _Switch) -> None:
    """The source is left."""
    await leave_for_good(at.run)


_FENCING: Final = fence_source
_SIDE_BY_SIDE: Final = ((flush_source, last_look), (open_target, flush_target))
_POINT: Final = commit_point
_LEAVING: Final = leave
STEPS: Final = tuple(
    act.__name__ for act in (_FENCING, *chain.from_iterable(_SIDE_BY_SIDE), _POINT, _LEAVING)
)
"""What a switch does, for logs and tests; the lanes of the middle side by side."""


async def _rehearse(at: _Switch) -> None:
    try:
        await lines.rehearse(at.run, at.lines)
    except (Unready, ClusterError) as error:
        # It would not have answered at the fence either.
        raise NotFenced(str(error)) from error


async def _behind_fence(at: _Switch) -> None:
    await asyncio.gather(*(_lane(at, acts) for acts in _SIDE_BY_SIDE))
    await _do(at, _POINT)


async def _lane(at: _Switch, acts: Iterable[_Act]) -> None:
    for act in acts:
        await _do(at, act)


async def _do(at: _Switch, act: _Act) -> None:
    await at.run.told(at.run, act.__name__, False)
    began = time.monotonic()
    await act(at)
    at.took[act.__name__] = _milliseconds_since(began)
    await at.run.told(at.run, act.__name__, True)


def _milliseconds_since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)


def _demand(run: Run, changed: Changed, what: str) -> None:
    if changed.clients != len(run.batch.clients):
        raise Worthless(f"only {changed.clients} of the batch could be {what}")


async def _bounded(work: Coroutine[Any, Any, None], seconds: float) -> None:
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_forget)
    if not done:
        raise TooSlow(f"the switch took longer than {seconds:g} s")
    task.result()


def _forget(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.debug("what was left of a switch that was given up: %s", task.exception())
