"""One run of one move: from where it is to where it can get, and what happens when it cannot."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from global_db.errors import ClusterError
from services.fleet.moving import abort, sweep
from services.fleet.moving.run import AbortWished, Run, Stopped, Worthless
from services.fleet.moving.steps import STEPS, THEN, NothingToMove, Step
from services.fleet.moving.switch import NotFenced, settle, switch
from services.fleet.moving.transitions import (
    BEFORE_SWITCH,
    State,
    Trouble,
    after_trouble,
    taken_over,
)
from shards.copying import claims
from shards.copying.claims import Place
from shards.copying.errors import Diverged, Severed, Superseded, Unready

_log = logging.getLogger(__name__)
_SETTLE_SECONDS = 0.2


class Resting(Exception):
    """Nothing is to be done until the grace ends."""


class Failed(Exception):
    """This run goes no further; the move is to be left alone for `seconds`. Tells what to do."""

    def __init__(self, fault: str, seconds: float) -> None:
        super().__init__(fault)
        self.fault = fault
        self.seconds = seconds


async def carry(run: Run) -> None:
    """Run the move until it has ended.

    Raises:
        Resting, Stopped, Failed: it has not ended, this run has.
        Superseded: somebody else runs it.
    """
    try:
        await run.load_batch()
        if run.state in BEFORE_SWITCH:
            await _reach_switch(run)
        if run.state is State.SWITCHED:
            await _end_grace(run)
        elif run.state is State.ABORTED and await run.has_leftovers():
            await _follow(run, abort.STEPS)
    except (Superseded, Stopped, Resting):
        raise
    except Exception as error:
        # Whatever it is, other moves go on, and this one is tried again.
        raise await _failure(run, error) from error


async def _reach_switch(run: Run) -> None:
    """Up to the switch and through it; behind it the move has switched or is aborted."""
    try:
        if run.state is State.PLANNED:
            await _follow(run, STEPS[State.PLANNED])
        await _take_over(run)
        while run.state in THEN:
            await _follow(run, STEPS[run.state])
            await run.advance(THEN[run.state])
        if run.state is State.FENCED:
            await _switch(run)
    except AbortWished:
        await abort.abort(run, None, retry=False)
    except NothingToMove:
        await abort.abort(run, "Every client of the batch is pinned by now.", retry=False)


async def _take_over(run: Run) -> None:
    """Claim both shards, so that nothing of an older run is under way there; then decide."""
    if run.state is State.FENCED:
        await abort.abort(run, "Its runner died at the switch.", retry=True)
        return
    same = run.expect(await _claim(run))
    onward = taken_over(run.state, same_servers=same)
    if onward is not run.state:
        await run.advance(onward)


async def _claim(run: Run) -> dict[str, Place]:
    source, target = await asyncio.gather(
        claims.claim(run.source, run.mover), claims.claim(run.target, run.mover)
    )
    return {"source": source, "target": target}


async def _switch(run: Run) -> None:
    try:
        await switch(run)
    except Superseded:
        raise
    except NotFenced as error:
        await run.advance(State.VERIFYING)
        raise Unready(str(error)) from error
    except Exception as error:
        _log.warning("move %s: the switch failed: %s", run.move.id, fault_of(error))
        await _settled(run)
        if run.state is State.FENCED:
            await _give_up(run, fault_of(error))


async def _settled(run: Run) -> None:
    """Wait for the directory's word as long as the lease lasts: nothing else can be done."""
    while True:
        try:
            await settle(run)
        except ClusterError as error:
            _log.info("move %s: the directory does not answer: %s", run.move.id, error)
            await asyncio.sleep(_SETTLE_SECONDS)
        else:
            return


async def _give_up(run: Run, fault: str) -> None:
    while run.state is State.FENCED:
        try:
            await abort.abort(run, fault, retry=True)
        except ClusterError:
            await _settled(run)


async def _end_grace(run: Run) -> None:
    await _claim(run)
    await _follow(run, sweep.LEAVING)
    if not await sweep.may_sweep(run):
        if not run.move.facts.get("way_back"):
            await _follow(run, sweep.RETURNING)
        raise Resting
    await _follow(run, sweep.SWEEPING)


async def _follow(run: Run, steps: Iterable[Step]) -> None:
    """Do the steps in turn. Wishes are heard behind each: what must be done at once comes first."""
    for step in steps:
        await run.told(run, step.name, False)
        await step.act(run)
        await run.told(run, step.name, True)
        await run.check()


async def _failure(run: Run, error: Exception) -> Failed:
    """What becomes of the move; its row says so already, but for the fault itself."""
    fault, attempts = fault_of(error), run.move.attempts + 1
    worthless = isinstance(error, (Worthless, Diverged, Severed))
    trouble = Trouble.WORTHLESS if worthless else Trouble.NOT_NOW
    known = worthless or isinstance(error, (Unready, ClusterError))
    _log.warning("move %s: %s: %s", run.move.id, run.state, fault, exc_info=not known)
    reaction = after_trouble(run.state, trouble, attempts)
    try:
        if reaction.state is State.ABORTED and run.state in BEFORE_SWITCH:
            await abort.abort(run, fault, retry=True)
        elif reaction.state is not run.state:
            await run.advance(reaction.state)
    except Exception as second:
        _log.warning("move %s: %s", run.move.id, fault_of(second), exc_info=True)
    return Failed(fault, reaction.seconds)


def fault_of(error: Exception) -> str:
    """The error in words for people."""
    if isinstance(error, (Worthless, Diverged, Severed, Unready, ClusterError)):
        return str(error)
    return f"{type(error).__name__}: {error}"
