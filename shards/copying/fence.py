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

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from global_db.cluster import Cluster
from global_db.columns import given_rows
from global_db.connection import WriteConnection
from global_db.errors import LockNotAvailable
from global_db.statement import WriteStatement, read, write
from shards.copying import markers
from shards.copying.batch import Batch, Mover
from shards.copying.errors import Unready
from shards.copying.sessions import changing
from shards.tables import residency

# Writers that come while the fence waits queue behind it for so long at most, then go first.
_LOCKS_MS = 80
_REST_SECONDS = 0.02

_MOVE = sa.bindparam("mover", type_=sa.Uuid)
_GENERATION = sa.bindparam("mover_generation", type_=sa.BigInteger)
_CLIENTS = sa.bindparam("clients", type_=ARRAY(sa.Uuid))
_batch = given_rows("batch", client_id=("clients", sa.Uuid()), epoch=("epochs", sa.BigInteger()))
_mine = residency.c.move_id == _MOVE
_current = _mine & (residency.c.generation == _GENERATION)

_FOUND = read(
    sa.select(
        residency.c.client_id,
        residency.c.epoch,
        residency.c.state,
        residency.c.move_id,
        residency.c.generation,
    )
    .where(residency.c.client_id == sa.any_(_CLIENTS))
    .order_by(residency.c.client_id)
)
_LOCK = write(
    sa.select(sa.func.docshard.lock_tenants(_CLIENTS, sa.bindparam("patience", type_=sa.Integer)))
)


def _become(
    state: str, plus: int, *before: sa.ColumnElement[bool], owned: bool = True
) -> WriteStatement:
    """Rows of the batch that are in one of the states `before` become `state` at N + `plus`."""
    change = sa.update(residency).values(
        epoch=_batch.c.epoch + plus,
        state=state,
        move_id=_MOVE if owned else None,
        generation=_GENERATION if owned else None,
        changed_at=sa.func.now(),
    )
    return write(
        change.where(residency.c.client_id == _batch.c.client_id, sa.or_(*before)).returning(
            residency.c.client_id
        )
    )


def _at(state: str, plus: int) -> sa.ColumnElement[bool]:
    return (residency.c.state == state) & (residency.c.epoch == _batch.c.epoch + plus)


_IMPORT = write(
    insert(residency)
    .from_select(
        ["client_id", "epoch", "state", "move_id", "generation"],
        sa.select(
            _batch.c.client_id, _batch.c.epoch + 1, sa.literal("importing"), _MOVE, _GENERATION
        ),
    )
    .on_conflict_do_update(
        index_elements=[residency.c.client_id],
        set_={
            "epoch": sa.text("excluded.epoch"),
            "state": sa.text("excluded.state"),
            "move_id": sa.text("excluded.move_id"),
            "generation": sa.text("excluded.generation"),
            "changed_at": sa.func.now(),
        },
        where=sa.or_(
            (residency.c.state == "gone") & (residency.c.epoch < sa.text("excluded.epoch")),
            (residency.c.state == "importing")
            & _current
            & (residency.c.epoch == sa.text("excluded.epoch")),
        ),
    )
    .returning(residency.c.client_id)
)
_OWN = _become(
    "open",
    0,
    _at("open", 0)
    & sa.or_(
        residency.c.move_id.is_(None),
        _mine,
        residency.c.move_id == sa.any_(sa.bindparam("ended", type_=ARRAY(sa.Uuid))),
    ),
)
_FENCE = _become("fenced", 0, _current & sa.or_(_at("open", 0), _at("fenced", 0)))
_OPEN = _become("open", 1, _current & sa.or_(_at("importing", 1), _at("open", 1)))
_LEAVE = _become("gone", 0, _current & _at("fenced", 0), _mine & _at("gone", 0))
_GIVE_BACK = _become(
    "open",
    2,
    _current & sa.or_(_at("open", 0), _at("fenced", 0)),
    residency.c.move_id.is_(None) & _at("open", 2),
    owned=False,
)
_DROP = _become(
    "gone", 1, _current & sa.or_(_at("importing", 1), _at("open", 1)), _mine & _at("gone", 1)
)
_RELEASE = _become(
    "open",
    1,
    _current & _at("open", 1),
    residency.c.move_id.is_(None) & _at("open", 1),
    owned=False,
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


class _Incomplete(Exception):
    """Not the whole batch could be changed: rolled back."""

    def __init__(self, clients: int) -> None:
        super().__init__()
        self.clients = clients


async def found(cluster: Cluster, batch: Batch) -> list[Residency]:
    """The rows of the batch on this shard, by tenant; none for a tenant it does not know.

    Raises:
        ClusterError.
    """
    async with cluster.read() as connection:
        rows = await connection.all(_FOUND, clients=list(batch.clients))
    return [Residency(**row) for row in rows]


async def begin_import(target: Cluster, mover: Mover, batch: Batch) -> Changed:
    """Target: no row, or `gone` at an epoch below N + 1 -> `importing` N + 1.

    Raises:
        Superseded, ClusterError; so do all below.
    """
    return await _change(target, mover, batch, _IMPORT)


async def own(
    source: Cluster, mover: Mover, batch: Batch, *, ended: Collection[UUID] = ()
) -> Changed:
    """Source: `open` N -> `open` N, owned by this move.

    A row that another move owns is taken only when that one is among `ended`: the moves which the
    global database says are over, or the one that this move reverses. `found` tells the owners.
    """
    return await _change(source, mover, batch, _OWN, ended=list(ended))


async def fence(source: Cluster, mover: Mover, batch: Batch, *, seconds: float = 5.0) -> Fenced:
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


async def open_(target: Cluster, mover: Mover, batch: Batch) -> Changed:
    """Target: `importing` N + 1 -> `open` N + 1, still owned by the move."""
    return await _change(target, mover, batch, _OPEN)


async def leave(source: Cluster, mover: Mover, batch: Batch) -> Changed:
    """Source: `fenced` N -> `gone` N."""
    return await _change(source, mover, batch, _LEAVE)


async def give_back(source: Cluster, mover: Mover, batch: Batch) -> Changed:
    """Source, abort: `open` N or `fenced` N of this move -> `open` N + 2, owned by nobody."""
    return await _change(source, mover, batch, _GIVE_BACK)


async def drop_import(target: Cluster, mover: Mover, batch: Batch) -> Changed:
    """Target, abort: `importing` or `open` N + 1 of this move -> `gone` N + 1.

    A tenant that has no row here yet stops the others, too: see `found`.
    """
    return await _change(target, mover, batch, _DROP)


async def release(target: Cluster, mover: Mover, batch: Batch) -> Changed:
    """Target, in the end: `open` N + 1 of this move -> the same, owned by nobody."""
    return await _change(target, mover, batch, _RELEASE)


async def _fence_once(source: Cluster, mover: Mover, batch: Batch) -> Fenced:
    number, changed = 0, 0
    try:
        async with changing(source, mover) as connection:
            await connection.send(_LOCK, clients=list(batch.clients), patience=_LOCKS_MS)
            changed = await _apply(connection, mover, batch, _FENCE)
            number = await markers.put_in(connection, mover)
    except _Incomplete as error:
        return Fenced(error.clients, 0, 0, 0)
    ended = connection.ended_at
    return Fenced(changed, ended.timeline, ended.lsn, number)


async def _change(
    cluster: Cluster, mover: Mover, batch: Batch, statement: WriteStatement, **values: Any
) -> Changed:
    try:
        async with changing(cluster, mover) as connection:
            changed = await _apply(connection, mover, batch, statement, **values)
    except _Incomplete as error:
        return Changed(error.clients, 0, 0)
    return Changed(changed, connection.ended_at.timeline, connection.ended_at.lsn)


async def _apply(
    connection: WriteConnection,
    mover: Mover,
    batch: Batch,
    statement: WriteStatement,
    **values: Any,
) -> int:
    rows = await connection.changed(
        statement,
        mover=mover.move_id,
        mover_generation=mover.generation,
        clients=list(batch.clients),
        epochs=batch.leaving(),
        **values,
    )
    if len(rows) < len(batch.clients):
        raise _Incomplete(len(rows))
    return len(rows)
