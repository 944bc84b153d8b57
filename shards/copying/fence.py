"""A tenant's residency while it moves: each change of state, and the fence.

Every change is conditional on move, generation, epoch N of the batch and state, and changes the
whole batch in one transaction; it may be repeated. All answer how many tenants are now in the state
that was asked for: with fewer than the batch has, the rest is not as the move left it, and nothing
at all was changed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa

from global_db.at_once import Work
from global_db.connection import ReadConnection
from global_db.errors import LockNotAvailable
from global_db.servers import Servers
from global_db.statement import WriteStatement, read, write
from shards.copying import changes, markers, slots
from shards.copying.batch import Batch, Mover
from shards.copying.errors import Unready
from shards.copying.sessions import change, rehearse
from shards.tables import residency

# Writers that come while the fence waits queue behind it for so long at most, then go first.
_LOCKS_MS = 80
_REST_SECONDS = 0.02
# Raised by demand_whole; see migrations/sql/0009_switch.sql.
_NOT_WHOLE = "DS013"
_NOBODY = Batch.of({})

_FOUND = read(
    sa.select(
        residency.c.client_id,
        residency.c.epoch,
        residency.c.state,
        residency.c.move_id,
        residency.c.generation,
    )
    .where(residency.c.client_id == sa.any_(changes.CLIENTS))
    .order_by(residency.c.client_id)
)
_LOCK = write(
    sa.select(
        sa.func.docshard.lock_tenants(changes.CLIENTS, sa.bindparam("patience", type_=sa.Integer))
    )
)


@dataclass(frozen=True, slots=True)
class Residency:
    """A tenant's row on a shard."""

    client_id: UUID
    epoch: int
    state: str
    move_id: UUID | None
    generation: int | None


@dataclass(frozen=True, slots=True)
class Changed:
    """How many tenants are in the state now, and where the commit ended (LSN in bytes)."""

    clients: int
    timeline: int
    lsn: int


@dataclass(frozen=True, slots=True)
class Fenced(Changed):
    """`number` is the marker that went into the stream with the fence."""

    number: int


async def found(cluster: Servers, batch: Batch) -> list[Residency]:
    """The rows of the batch on this shard, by tenant; none for a tenant it does not know.

    Raises:
        ClusterError.
    """
    async with cluster.read() as connection:
        return await found_by(connection, batch)


async def found_by(connection: ReadConnection, batch: Batch) -> list[Residency]:
    """The same of the server behind this connection."""
    rows = await connection.all(_FOUND, clients=list(batch.clients))
    return [Residency(**row) for row in rows]


async def begin_import(target: Servers, mover: Mover, batch: Batch) -> Changed:
    """Target: no row, or `gone` at an epoch below N + 1 -> `importing` N + 1.

    Raises:
        Superseded, ClusterError; so do all below.
    """
    return await _change(target, mover, batch, _changing(mover, batch, changes.IMPORT))


async def own(
    source: Servers, mover: Mover, batch: Batch, *, ended: Collection[UUID] = ()
) -> Changed:
    """Source: `open` N -> `open` N, owned by this move.

    A row that another move owns is taken only when that one is among `ended`: the moves which the
    global database says are over, or the one that this move reverses. `found` tells the owners.
    """
    return await _change(
        source, mover, batch, _changing(mover, batch, changes.OWN, ended=list(ended))
    )


async def fence(source: Servers, mover: Mover, batch: Batch, *, seconds: float = 5.0) -> Fenced:
    """Source: `open` N, owned -> `fenced` N, and a marker with the same commit: the pause begins.

    The tenants' locks are waited for about 100 ms in all, then released and tried again, so that no
    writer queues long behind a fence that waits. An unknown outcome is settled by fencing again:
    rows of this move that are fenced already count, and a newer marker goes out.

    Raises:
        Unready: writers held the locks for `seconds`. Nothing is fenced.
        OutcomeUnknown: it may be fenced or not: fence again, or give the batch back.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await _fence_once(source, mover, batch)
        except LockNotAvailable as error:
            if time.monotonic() > deadline:
                raise Unready(f"{source.name}: writers hold tenants of the batch") from error
        await asyncio.sleep(_REST_SECONDS)


async def open_(target: Servers, mover: Mover, batch: Batch) -> Changed:
    """Target: `importing` N + 1 -> `open` N + 1, still owned by the move."""
    return await _change(target, mover, batch, _changing(mover, batch, changes.OPEN))


async def open_behind(
    target: Servers, mover: Mover, batch: Batch, number: int, seconds: float
) -> Changed:
    """The same behind the marker `number`, with the way back beginning behind what was applied.

    One transaction, so that the caller is not waited for in between. The slot is no part of it and
    stays advanced if it fails, which is harmless: nobody has written here, nor will before an
    opening, and whoever tries again advances it again.

    Raises:
        Unready: the marker has not arrived in `seconds`; or the slot is missing or in use.
    """
    works = _opening(mover, batch, number, seconds)
    try:
        with markers.arriving(), slots.advancing(target):
            return await _change(target, mover, batch, *works, patience=seconds)
    except markers.NotArrived as error:
        raise Unready(f"{target.name}: {await markers.fares(target, mover)}") from error


async def rehearse_fence(source: Servers, mover: Mover) -> None:
    """What `fence` sends, for nobody and undone, so that the session knows all of it.

    No tenant is locked, but one whom nobody has: the move's own id. No row is changed; the marker
    is rolled back, so that no subscriber is sent it.
    """
    await rehearse(source, mover, *_fencing(mover, _NOBODY, [mover.move_id]))


async def rehearse_opening(target: Servers, mover: Mover) -> None:
    """What `open_behind` sends, for nobody and undone, behind any marker that has been applied.

    On 15 the way back's slot is moved on by it, which no transaction undoes: as harmless as there,
    and as `slots.advance_back` has just done.

    Raises:
        Unready: the slot is missing or in use.
    """
    with slots.advancing(target):
        await rehearse(target, mover, *_opening(mover, _NOBODY, 0, 0.0))


async def leave(source: Servers, mover: Mover, batch: Batch) -> Changed:
    """Source: `fenced` N -> `gone` N."""
    return await _change(source, mover, batch, _changing(mover, batch, changes.LEAVE))


async def give_back(source: Servers, mover: Mover, batch: Batch) -> Changed:
    """Source, abort: `open` N or `fenced` N of this move -> `open` N + 2, owned by nobody."""
    return await _change(source, mover, batch, _changing(mover, batch, changes.GIVE_BACK))


async def drop_import(target: Servers, mover: Mover, batch: Batch) -> Changed:
    """Target, abort: `importing` or `open` N + 1 of this move -> `gone` N + 1.

    A tenant that has no row here yet stops the others, too: see `found`.
    """
    return await _change(target, mover, batch, _changing(mover, batch, changes.DROP))


async def release(target: Servers, mover: Mover, batch: Batch) -> Changed:
    """Target, in the end: `open` N + 1 of this move -> the same, owned by nobody."""
    return await _change(target, mover, batch, _changing(mover, batch, changes.RELEASE))


async def _fence_once(source: Servers, mover: Mover, batch: Batch) -> Fenced:
    works = _fencing(mover, batch, batch.clients)
    try:
        while True:
            done = await change(source, mover, *works)
            # Of two markers at once one is not put. Fenced again, what is fenced already counts.
            if number := markers.put_by(done):
                place = done.position
                return Fenced(len(batch.clients), place.timeline, place.lsn, number)
    except psycopg.Error as error:
        return Fenced(_fewer(error), 0, 0, 0)


async def _change(
    cluster: Servers, mover: Mover, batch: Batch, *works: Work, patience: float = 0.0
) -> Changed:
    try:
        done = await change(cluster, mover, *works, patience=patience)
    except psycopg.Error as error:
        return Changed(_fewer(error), 0, 0)
    return Changed(len(batch.clients), done.position.timeline, done.position.lsn)


def _fencing(mover: Mover, batch: Batch, locked: Collection[UUID]) -> tuple[Work, ...]:
    return (
        Work(_LOCK, {"clients": list(locked), "patience": _LOCKS_MS}),
        _changing(mover, batch, changes.FENCE),
        markers.putting(mover),
    )


def _opening(mover: Mover, batch: Batch, number: int, seconds: float) -> tuple[Work, ...]:
    return (
        markers.awaiting(mover, number, seconds),
        slots.advance_for_echo(mover),
        _changing(mover, batch, changes.OPEN),
    )


def _changing(mover: Mover, batch: Batch, statement: WriteStatement, **values: Any) -> Work:
    who = {"mover": mover.move_id, "mover_generation": mover.generation}
    which = {"clients": list(batch.clients), "epochs": batch.leaving()}
    return Work(statement, who | which | values)


def _fewer(error: psycopg.Error) -> int:
    """How many tenants could have been changed, when that was not the whole batch."""
    if error.sqlstate != _NOT_WHOLE:
        raise error
    return int(error.diag.message_detail or 0)
