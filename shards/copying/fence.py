"""A tenant's residency while it moves: each change of state, and the fence.

Every change is conditional on move, generation, epoch N of the batch and state, and changes the
whole batch in one transaction; it may be repeated. All answer how many tenants are now in the state
that was asked for: with fewer than the batch has, the rest is not as the move left it, and nothing
at all was changed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from global_db.cluster import Cluster
from shards.copying.batch import Batch, Mover


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


async def found(cluster: Cluster, batch: Batch) -> list[Residency]:
    """The rows of the batch on this shard, by tenant; none for a tenant it does not know.

    Raises:
        ClusterError.
    """
    raise NotImplementedError


async def begin_import(target: Cluster, mover: Mover, batch: Batch) -> Changed:
    """Target: no row, or `gone` at an epoch below N + 1 -> `importing` N + 1.

    Raises:
        Superseded, ClusterError; so do all below.
    """
    raise NotImplementedError


async def own(
    source: Cluster, mover: Mover, batch: Batch, *, ended: Collection[UUID] = ()
) -> Changed:
    """Source: `open` N -> `open` N, owned by this move.

    A row that another move owns is taken only when that one is among `ended`: the moves which the
    global database says are over, or the one that this move reverses. `found` tells the owners.
    """
    raise NotImplementedError


async def fence(source: Cluster, mover: Mover, batch: Batch, *, seconds: float = 5.0) -> Fenced:
    """Source: `open` N, owned -> `fenced` N, with a marker in the same transaction. Begins the pause.

    The tenants' locks are waited for about 100 ms in all, then released and tried again, so that no
    writer queues long behind a fence that waits. An unknown outcome is settled by fencing again:
    rows of this move that are fenced already count, and a newer marker goes out.

    Raises:
        Unready: writers held the locks for `seconds`. Nothing is fenced.
        OutcomeUnknown: it may be fenced or not: fence again, or give the batch back.
    """
    raise NotImplementedError


async def open_(target: Cluster, mover: Mover, batch: Batch) -> Changed:
    """Target: `importing` N + 1 -> `open` N + 1, still owned by the move."""
    raise NotImplementedError


async def leave(source: Cluster, mover: Mover, batch: Batch) -> Changed:
    """Source: `fenced` N -> `gone` N."""
    raise NotImplementedError


async def give_back(source: Cluster, mover: Mover, batch: Batch) -> Changed:
    """Source, abort: `open` N or `fenced` N of this move -> `open` N + 2, owned by nobody."""
    raise NotImplementedError


async def drop_import(target: Cluster, mover: Mover, batch: Batch) -> Changed:
    """Target, abort: `importing` or `open` N + 1 of this move -> `gone` N + 1; no row is no row."""
    raise NotImplementedError


async def release(target: Cluster, mover: Mover, batch: Batch) -> Changed:
    """Target, in the end: `open` N + 1 of this move -> the same, owned by nobody."""
    raise NotImplementedError
