"""What a move does before its switch, state by state, step by step.

Each step may be repeated: a run that takes over begins the state's first step anew. `STEPS` is the
list that is run, and the list that tests kill runners at.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from uuid import UUID

from global_db import leases, move_endings, moves, partitions
from global_db.leftovers import Thing
from services.fleet.moving.disks import free_bytes
from services.fleet.moving.preflight import Look, judge
from services.fleet.moving.run import Run, Worthless, described
from services.fleet.moving.throttle import Throttle, report
from services.fleet.moving.transitions import ENDED, State
from shards.copying import (
    claims,
    copy,
    digests,
    facts,
    fence,
    markers,
    publications,
    slots,
    standbys,
    subscriptions,
)
from shards.copying.errors import Unready
from shards.registry import REVISIONS

# Caught up is what a marker passes in this time; each further try is content with twice as much.
_PASSING_SECONDS = 0.1
_LONGEST_PASSING_SECONDS = 1.0
_MARKER_SECONDS = 2.0
_STALLED_SECONDS = 60.0


class NothingToMove(Exception):
    """Every client of the batch was pinned where it is."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a run does. Its name is its function's."""

    act: Callable[[Run], Awaitable[None]]

    @property
    def name(self) -> str:
        """What logs and tests call it."""
        return self.act.__name__


async def leave_out_pinned(run: Run) -> None:
    """A pin that came after the plan holds; one that comes after this step is too late."""
    async with run.recording() as connection:
        left = await move_endings.leave_out_pinned(connection, run.move)
    if left:
        await run.load_batch()
    if not run.batch.clients:
        raise NothingToMove


async def begin(run: Run) -> None:
    """Look at both shards, and leave `planned` when nothing is in the way.

    Months of audit logs cannot be made or archived meanwhile; whoever wants to later sees the move.
    """
    async with AsyncExitStack() as stack:
        held = [
            await stack.enter_async_context(
                leases.hold(run.data.global_db, partitions.lease_name(shard))
            )
            for shard in sorted((run.move.source, run.move.target))
        ]
        source, target = await asyncio.gather(
            facts.examine(run.source, run.batch), facts.examine(run.target, run.batch)
        )
        target = replace(target, free_bytes=free_bytes(run.terms.data_folder, run.target))
        look = Look(run.move.source, run.move.target, source, target, REVISIONS.head, None in held)
        refusals = judge(look)
        if refusals:
            raise Unready(" ".join(map(str, refusals)))
        await report(run, rows=0, bytes=0, rows_total=source.rows, bytes_total=source.bytes)
        places = await asyncio.gather(claims.place(run.source), claims.place(run.target))
        await run.advance(
            State.CATCHING_UP if run.mover.reverses else State.COPYING,
            source=described(places[0]),
            target=described(places[1]),
        )


async def tidy(run: Run) -> None:
    """Remove what a former try made: the subscription first, or deletes would follow."""
    run.first_try = run.mover.reverses is None and not run.move.facts.get("owns")
    if run.first_try:
        return
    await drop_streams(run)
    if run.mover.reverses is not None:
        await run.note(copies=True)


async def record(run: Run) -> None:
    """Write down what the next steps make, before they make it."""
    name = run.mover.forward.name
    await run.leave_behind(
        [
            Thing(run.move.source, "publication", name),
            Thing(run.move.source, "slot", name),
            Thing(run.move.target, "subscription", name),
            *(Thing(run.move.target, "tenant", str(client)) for client in run.batch.clients),
        ]
    )
    places = await asyncio.gather(claims.place(run.source), claims.place(run.target))
    await run.note(owns=True, source=described(places[0]), target=described(places[1]))


async def take_residency(run: Run) -> None:
    """The target imports at N + 1; the source's rows are the move's to fence."""
    ended = await ended_owners(run)
    imported = await fence.begin_import(run.target, run.mover, run.batch)
    owned = await fence.own(run.source, run.mover, run.batch, ended=ended)
    for cluster, changed in ((run.target, imported), (run.source, owned)):
        if changed.clients != len(run.batch.clients):
            raise Unready(
                f"{cluster.name}: the residency of {len(run.batch.clients) - changed.clients}"
                " clients is not as the directory has it; docshard doctor tells which"
            )


async def wipe(run: Run) -> None:
    """Delete rows that a former try copied."""
    if run.first_try:
        return
    await copy.wipe(run.target, run.mover, run.batch, Throttle(run).gate)


async def publish(run: Run) -> None:
    """Publish the batch on the source, before the slot: it decodes with what is published then."""
    await publications.publish(run.source, run.mover, run.batch)


async def copy_rows(run: Run) -> None:
    """Make the slot, and copy the batch as of the slot's beginning."""
    totals = {name: run.move.progress.get(name, 0) for name in ("rows_total", "bytes_total")}
    throttle = Throttle(run, totals)
    async with slots.exported(run.source, run.mover) as snapshot:
        copied = await copy.copy_batch(
            run.source, run.target, run.mover, run.batch, snapshot=snapshot, gate=throttle.gate
        )
    await run.measure(rows=copied.rows, bytes=copied.bytes)


async def subscribe(run: Run) -> None:
    """Let the target apply what was written since."""
    address = run.source.login.direct(run.source.primary_address())
    await subscriptions.subscribe(run.target, run.mover, address)


async def adopt(run: Run) -> None:
    """The way back has its rows and its stream from its parent, and no residency yet."""
    if run.mover.reverses is not None and not run.move.facts.get("owns"):
        await record(run)
        await take_residency(run)


async def catch_up(run: Run) -> None:
    """Until a marker passes through the stream at once."""
    content, best = _PASSING_SECONDS, None
    progressed_at = time.monotonic()
    while True:
        await run.check()
        asked = time.monotonic()
        number = await markers.put(run.source, run.mover)
        try:
            await markers.await_(run.target, run.mover, number, _MARKER_SECONDS)
        except Unready:
            lag = await markers.lag(run.source, run.mover)
            await report(run, lag_bytes=lag)
            if best is None or lag < best:
                best, progressed_at = lag, time.monotonic()
            elif time.monotonic() - progressed_at > _STALLED_SECONDS:
                raise
            continue
        if time.monotonic() - asked <= content:
            await report(run, lag_bytes=0)
            return
        content = min(content * 2, _LONGEST_PASSING_SECONDS)


async def make_way_back(run: Run) -> None:
    """Publication and slot of the way back: early, since a slot waits for old transactions."""
    name = run.mover.stream(back=True).name
    await run.leave_behind(
        [
            Thing(run.move.target, "publication", name),
            Thing(run.move.target, "slot", name),
            Thing(run.move.source, "subscription", name),
        ]
    )
    await publications.publish(run.target, run.mover, run.batch, back=True)
    await slots.make_back(run.target, run.mover)


async def verify(run: Run) -> None:
    """Compare every row."""
    verified = await digests.verify(
        run.source, run.target, run.mover, run.batch, Throttle(run).gate
    )
    await run.measure(verified_rows=verified.rows, rechecked_chunks=verified.rechecked)


async def link_chain(run: Run) -> None:
    """Link the audit rows up to here: few wait in the queue when the tenants are fenced."""
    await run.link_audit(run.move.source, run.batch.clients)


async def approach(run: Run) -> None:
    """Shorten what the switch has to do: the streams are at their ends, the servers known ones, the
    standbys there."""
    await catch_up(run)
    await slots.advance_back(run.target, run.mover)
    places = await same_servers(run)
    await asyncio.gather(
        *(
            standbys.await_flushed(cluster, place.timeline, 0, _MARKER_SECONDS)
            for cluster, place in zip((run.source, run.target), places, strict=True)
        )
    )


STEPS: Mapping[State, tuple[Step, ...]] = {
    state: tuple(map(Step, acts))
    for state, acts in {
        State.PLANNED: (leave_out_pinned, begin),
        State.COPYING: (
            tidy,
            record,
            take_residency,
            wipe,
            publish,
            copy_rows,
            subscribe,
        ),
        State.CATCHING_UP: (adopt, catch_up, make_way_back),
        State.VERIFYING: (verify, link_chain, approach),
    }.items()
}
THEN: Mapping[State, State] = {
    State.COPYING: State.CATCHING_UP,
    State.CATCHING_UP: State.VERIFYING,
    State.VERIFYING: State.FENCED,
}
"""What follows when the steps are done; `begin` leaves `planned` itself."""


async def same_servers(run: Run) -> tuple[claims.Place, claims.Place]:
    """Refuse to go on after a failover of either side; otherwise where source and target are.

    Raises:
        Worthless.
    """
    source, target = await asyncio.gather(claims.place(run.source), claims.place(run.target))
    if not run.expect({"source": source, "target": target}):
        raise Worthless("the source or the target has failed over since the copy began")
    return source, target


async def drop_streams(run: Run) -> None:
    """Drop both streams of the move, each from its end: nothing is applied any more."""
    for back in (False, True):
        await drop_stream(run, back=back)


async def drop_stream(run: Run, *, back: bool) -> None:
    """Subscription, slot, publication; what is not there is no fault."""
    here, there = (run.target, run.source) if back else (run.source, run.target)
    stream = run.mover.stream(back=back)
    await subscriptions.unsubscribe(there, run.mover, back=back)
    await run.removed(there.name, stream, "subscription")
    await slots.drop(here, run.mover, back=back)
    await publications.unpublish(here, run.mover, back=back)
    await run.removed(here.name, stream, "slot", "publication")


async def ended_owners(run: Run) -> list[UUID]:
    """Who owns the source's rows and is over: moves that a failover brought back to mind."""
    rows = await fence.found(run.source, run.batch)
    owners = {row.move_id for row in rows if row.move_id is not None} - {run.move.id}
    async with run.data.global_db.read() as connection:
        known = [await moves.get(connection, owner) for owner in owners]
    return [move.id for move in known if move is not None and State(move.state) in ENDED]
