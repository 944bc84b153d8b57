"""The switch: from the fence on the source to the commit point in the directory.

Writers and readers of the batch wait meanwhile, so it is short, bounded, and either done or undone.

    source   fence + marker ─┬─ on every standby's disk ──────────────┬─ still fenced, same timeline
    target                   └─ marker applied → way back → open N + 1 ┴─ on every standby's disk
    directory                                                                          commit point

A marker seen on the target proves that all before it was applied, and nothing about the source's
standbys: one that is promoted without the fence would be open at N. So the fence is on all their
disks before the directory changes, and so is the opening; I1 and I3 survive either failover.

The forward stream stays up until after the commit point: the source is fenced, so nothing can come
through it any more, and dropping it here would only make callers wait. It goes before the way back
is subscribed to, and before any row of the source is swept.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from global_db import move_endings, move_runs
from global_db.move_endings import BatchChanged, Replaced
from services.audit import Event, record_global
from services.fleet.moving.run import Run, Worthless
from services.identity.principal import Origin
from shards.copying import claims, fence, markers, slots, standbys
from shards.copying.errors import Superseded, Unready
from shards.copying.fence import Changed, Fenced

T = TypeVar("T")

_log = logging.getLogger(__name__)

STEPS: Final = ("fence", "await_marker", "open_target", "last_look", "commit_point", "leave")
"""What a switch does, for logs and tests; some of it side by side."""


class NotFenced(Exception):
    """Writers held their tenants' locks for too long: nothing was fenced, nobody waited long."""


class TooSlow(Exception):
    """The pause reached its bound."""


async def switch(run: Run) -> None:
    """Move the batch's place in the directory; the move is `fenced` in the global database already.

    Raises:
        NotFenced; anything else: to be given up, unless `settle` finds it done.
    """
    began = time.monotonic()
    fenced = await _fence(run)
    # Abandoned, not awaited, when it is too slow: a server that hangs answers no cancellation
    # either, and whatever of it still arrives finds its conditions gone.
    await _bounded(_behind_fence(run, fenced), run.terms.pause_seconds)
    pause_ms = round((time.monotonic() - began) * 1000, 1)
    await _told(run, "leave", lambda: leave(run))
    await run.measure(pause_ms=pause_ms)
    _log.info("move %s: switched, after a pause of %s ms", run.move.id, pause_ms)


async def leave(run: Run) -> None:
    """The source is left for good; may be repeated."""
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


async def _fence(run: Run) -> Fenced:
    try:
        fenced = await _told(run, "fence", lambda: fence.fence(run.source, run.mover, run.batch))
    except Unready as error:
        raise NotFenced(str(error)) from error
    _demand(run, fenced, "fenced")
    return fenced


async def _behind_fence(run: Run, fenced: Fenced) -> None:
    seconds = run.terms.pause_seconds
    opened, _ = await asyncio.gather(
        _open_behind_marker(run, fenced),
        standbys.await_flushed(run.source, fenced.timeline, fenced.lsn, seconds),
    )
    await _told(run, "last_look", lambda: _last_look(run, opened))
    await _told(run, "commit_point", lambda: _commit(run))


async def _open_behind_marker(run: Run, fenced: Fenced) -> Changed:
    seconds = run.terms.pause_seconds
    await _told(
        run, "await_marker", lambda: markers.await_(run.target, run.mover, fenced.number, seconds)
    )
    # What came through the forward stream must not go back: the way back begins behind it.
    await slots.advance_back(run.target, run.mover)
    opened = await _told(run, "open_target", lambda: fence.open_(run.target, run.mover, run.batch))
    _demand(run, opened, "open on the target")
    if opened.timeline != run.move.facts["target"]["timeline"]:
        # What was applied is awaited by no standby until now, and confirmed to the source: the
        # promoted server may lack rows that are never sent again, whatever marker it has.
        raise Worthless("the target failed over behind the last comparison")
    return opened


async def _last_look(run: Run, opened: Changed) -> None:
    """The opening is safe, and the source is the server that was fenced, and still is."""
    _, place, rows = await asyncio.gather(
        standbys.await_flushed(run.target, opened.timeline, opened.lsn, run.terms.pause_seconds),
        claims.place(run.source),
        fence.found(run.source, run.batch),
    )
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


async def _commit(run: Run) -> None:
    """The point of no return: one transaction, with an audit row for each tenant (I5, I6)."""
    try:
        async with run.recording() as connection:
            move, moved = await move_endings.switch(
                connection, run.move, len(run.batch.clients), run.terms.grace_seconds
            )
            for client in moved:
                await record_global(
                    connection,
                    Origin(reason=run.move.reason or None),
                    _moved(run, client),
                    client.client_id,
                )
    except BatchChanged as error:
        raise Worthless(str(error)) from error
    run.move = move


def _moved(run: Run, client: Replaced) -> Event:
    before, move = {"shard": run.move.source, "epoch": client.epoch - 1}, str(run.move.id)
    after = {"shard": run.move.target, "epoch": client.epoch}
    return Event("client.move", "client", client.client_id, before, {**after, "move_id": move})


def _demand(run: Run, changed: Changed, what: str) -> None:
    if changed.clients != len(run.batch.clients):
        raise Worthless(f"only {changed.clients} of the batch could be {what}")


async def _told(run: Run, step: str, work: Callable[[], Awaitable[T]]) -> T:
    await run.told(run, step, False)
    result = await work()
    await run.told(run, step, True)
    return result


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
