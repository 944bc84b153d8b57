"""The connections that a switch goes over, and its rehearsal on them.

A session's first call of a function looks up its catalogs and plans all of its statements: on an
idle machine a new session took 4.8 ms to fence and a used one 0.8. So the connections of a switch
are kept from the rehearsal to the commit point, and nobody waits at a fence for a pool, a new
session or a plan.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from global_db import move_endings
from global_db.connection import WriteConnection
from global_db.kept import Kept
from global_db.move_runs import RunEnded
from global_db.moves import Move
from services.audit import Event, record_each
from services.fleet.moving.run import Run
from services.identity.principal import Origin
from services.ids import new_id
from shards.copying import claims, fence, standbys
from shards.copying.claims import Place
from shards.copying.errors import Unready
from shards.copying.fence import Changed, Residency
from shards.copying.lanes import together


@dataclass(frozen=True, slots=True)
class Lines:
    """One connection to each server that a switch asks, used by nobody else meanwhile."""

    source: Kept
    target: Kept
    directory: Kept


@asynccontextmanager
async def kept(run: Run) -> AsyncIterator[Lines]:
    """The lines of a run's switch; given back however the block ends."""
    async with (
        run.source.keep() as source,
        run.target.keep() as target,
        run.data.global_db.keep() as directory,
    ):
        yield Lines(source, target, directory)


async def rehearse(run: Run, lines: Lines) -> None:
    """Say all that the switch will say, for nobody.

    Nothing durable comes of it: what would write matches no row and is rolled back all the same.
    Locks are the move's own claims, shared, and the advisory lock of a tenant whom nobody has.

    Raises:
        Superseded, Unready, ClusterError: nobody has waited for anything.
    """
    await together((_on_source(run, lines), _on_target(run, lines), _in_directory(run, lines)))


async def look(run: Run, lines: Lines) -> tuple[Place, list[Residency]]:
    """Which server the source's primary is, and how the batch stands there."""
    async with lines.source.read() as connection:
        return await claims.place_by(connection), await fence.found_by(connection, run.batch)


async def flushed(run: Run, servers: Kept, changed: Changed) -> None:
    """The change is on the disks of all standbys.

    Raises:
        Unready, ClusterError.
    """
    await standbys.await_flushed(servers, changed.timeline, changed.lsn, run.terms.pause_seconds)


async def commit(run: Run, connection: WriteConnection, move: Move) -> Move:
    """What the commit point writes, with an audit row for each tenant (I5, I6); answers the move.

    Raises:
        RunEnded, BatchChanged: nothing may be committed.
    """
    moves = [(_moved(run, client), client) for client in run.batch.clients]
    await record_each(connection, Origin(reason=move.reason or None), moves)
    switched, _ = await move_endings.switch(
        connection, move, len(run.batch.clients), run.terms.grace_seconds
    )
    return switched


async def _on_source(run: Run, lines: Lines) -> None:
    await fence.rehearse_fence(lines.source, run.mover)
    place, _ = await look(run, lines)
    await _is_still(run, "source", lines.source, place)


async def _on_target(run: Run, lines: Lines) -> None:
    await fence.rehearse_opening(lines.target, run.mover)
    async with lines.target.read() as connection:
        place = await claims.place_by(connection)
    await _is_still(run, "target", lines.target, place)


async def _is_still(run: Run, which: str, servers: Kept, place: Place) -> None:
    """It is the server that it was, and its standbys follow it."""
    if not run.expect({which: place}):
        raise Unready(f"{servers.name}: it has failed over since the copy began")
    await flushed(run, servers, Changed(0, place.timeline, 0))


async def _in_directory(run: Run, lines: Lines) -> None:
    """The commit point of a move that is nobody's. That its run is over undoes it, audit rows and
    all; what COMMIT says beside it is said behind."""
    with contextlib.suppress(RunEnded):
        async with lines.directory.write() as connection:
            await commit(run, connection, replace(run.move, id=new_id()))
    await lines.directory.rehearse_at_once()


def _moved(run: Run, client: UUID) -> Event:
    epoch, move = run.batch.epochs[client], str(run.move.id)
    before = {"shard": run.move.source, "epoch": epoch}
    after = {"shard": run.move.target, "epoch": epoch + 1, "move_id": move}
    return Event("client.move", "client", client, before, after)
