"""One tenant's transactions: find its shard, enter, and try again when the placement was stale.

Every use case of a tenant goes through `Tenants.read` or `Tenants.write`. The work is a function so
that it can run a second time: after a refusal nothing has committed, and the directory may by now
name another shard.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Generic, TypeVar
from uuid import UUID

from global_db.connection import ReadConnection, Row, WriteConnection
from global_db.directory import Placement
from global_db.errors import ConnectionLost
from global_db.position import Position
from global_db.reading import Reading
from global_db.reads import read_from
from global_db.statement import ReadStatement, WriteStatement
from global_db.timing import measured
from global_db.values import value
from shards.counting import count_behind
from shards.fence_tally import FenceTally
from shards.placement import PlacementCache
from shards.registry import ShardRegistry
from shards.residency import Fenced, Refused, StaleEpoch, enter_write, entrance, refusals
from shards.rooms import Room, Rooms
from shards.traffic import Traffic

T = TypeVar("T")

# A switch takes some ten milliseconds, and its end is announced. Who asks before that takes time
# from the switch; who hears nothing asks nevertheless, soon at first, then more and more rarely.
# Announced is the directory's change: when a move is undone its shard opens a moment later.
_FENCE_POLL_SECONDS = 0.02
_LONGEST_FENCE_POLL_SECONDS = 0.05
_CHANGED_POLL_SECONDS = 0.004
# Directory and shard may be between two steps of a move when they disagree.
_STEP_SECONDS = 0.5


class TenantMoving(Exception):
    """The tenant stayed fenced for longer than a caller waits, or too many callers wait."""


class TenantMisplaced(Exception):
    """Directory and shard disagree about the tenant even after a fresh look (I6)."""


@dataclass(frozen=True, slots=True)
class FenceLimits:
    """How long one caller waits at a fence, and how many may wait at once."""

    wait_seconds: float = 2.0
    max_waiting: int = 200


@dataclass(frozen=True, slots=True)
class Write:
    """A write that a later read must see: where the tenant lived then, and the commit's place."""

    epoch: int
    position: Position


@value
class TenantReading:
    """As `Reading`; `after` is a write, wherever the tenant has moved since."""

    max_staleness: float | None = None
    after: Write | None = None

    def at(self, placement: Placement) -> Reading:
        """What to ask of the shard where the tenant is placed.

        A move opens the target behind everything that was written before: who finds the tenant open
        at a later epoch has the write. So its place, on a shard that is left, need not be known.

        Raises:
            StaleEpoch: the write is of a later epoch, so the placement is an old one.
        """
        if self.after is None or self.after.epoch < placement.epoch:
            return Reading(self.max_staleness)
        if self.after.epoch > placement.epoch:
            raise StaleEpoch("the directory was read before the tenant moved")
        return Reading(self.max_staleness, self.after.position)


PRIMARY_READING = TenantReading()


class TenantRead:
    """Reads of one tenant; its id and epoch are part of every statement."""

    def __init__(self, connection: ReadConnection, placement: Placement) -> None:
        self._connection = connection
        self._scope = {"client_id": placement.client_id, "epoch": placement.epoch}

    async def all(self, statement: ReadStatement, **parameters: Any) -> list[Row]:
        """Every row of the result."""
        return await self._connection.all(statement, **self._scope, **parameters)

    async def one(self, statement: ReadStatement, **parameters: Any) -> Row | None:
        """The first row, or None."""
        return await self._connection.one(statement, **self._scope, **parameters)

    async def tuples(self, statement: ReadStatement, **parameters: Any) -> list[tuple[Any, ...]]:
        """Every row, its values in the order of the statement's columns."""
        return await self._connection.tuples(statement, **self._scope, **parameters)


class TenantWrite(TenantRead):
    """A transaction inside one tenant, entered. `now` is the time every row of it carries, `room`
    what the tenant may still store."""

    def __init__(
        self, connection: WriteConnection, placement: Placement, now: datetime, rooms: Rooms
    ) -> None:
        super().__init__(connection, placement)
        self._writes = connection
        self.room = Room(rooms, connection, placement)
        self.client_id = placement.client_id
        self.now = now

    async def send(self, statement: WriteStatement, **parameters: Any) -> None:
        """Send a change without waiting for it."""
        await self._writes.send(statement, **self._scope, **parameters)

    async def returning(self, statement: WriteStatement, **parameters: Any) -> Row | None:
        """Run a change and wait for its first returned row."""
        return await self._writes.returning(statement, **self._scope, **parameters)

    async def changed(self, statement: WriteStatement, **parameters: Any) -> list[Row]:
        """Run a change and wait for all rows it returns."""
        return await self._writes.changed(statement, **self._scope, **parameters)


@dataclass(frozen=True, slots=True)
class Written(Generic[T]):
    """What a committed transaction answered, and where it ended."""

    value: T
    placement: Placement
    position: Position


class Tenants:
    """Runs work inside tenants, wherever they live; `traffic` counts what succeeded, `fences` what
    shards refused. `rooms`, whose counts may go on behind a write, are closed by who made this."""

    def __init__(
        self, placements: PlacementCache, registry: ShardRegistry, limits: FenceLimits
    ) -> None:
        self.traffic = Traffic()
        self.fences = FenceTally()
        self._placements = placements
        self._registry = registry
        self._limits = limits
        self.rooms = Rooms(partial(count_behind, registry))

    async def read(
        self,
        client_id: UUID,
        work: Callable[[TenantRead], Awaitable[T]],
        reading: TenantReading = PRIMARY_READING,
    ) -> T:
        """Run `work` on the tenant's shard; on whose server, `reading` and what is alive decide.

        Raises:
            UnknownClient, UnknownShard, ShardBehind, TenantMoving, TenantMisplaced, ClusterError.
        """

        async def attempt(placement: Placement) -> T:
            async def entered(connection: ReadConnection) -> T:
                return await work(TenantRead(connection, placement))

            with refusals():
                return await read_from(
                    self._registry.cluster(placement.shard),
                    reading.at(placement),
                    entered,
                    entrance(client_id, placement.epoch),
                )

        value = await self._persist(client_id, attempt)
        self.traffic.note_read(client_id)
        return value

    async def write(
        self, client_id: UUID, work: Callable[[TenantWrite], Awaitable[T]]
    ) -> Written[T]:
        """Run `work` in one transaction on the tenant's primary and commit it.

        Raises:
            As `read`; and OutcomeUnknown, when the connection was lost during COMMIT.
        """

        async def attempt(placement: Placement) -> Written[T]:
            # Outside the transaction: what was sent and not waited for is refused at the commit.
            with refusals():
                async with self._registry.cluster(placement.shard).write() as connection:
                    now = await enter_write(connection, placement.client_id, placement.epoch)
                    value = await work(TenantWrite(connection, placement, now, self.rooms))
            return Written(value, placement, connection.ended_at)

        written = await self._persist(client_id, attempt)
        self.traffic.note_write(client_id)
        return written

    async def _persist(self, client_id: UUID, attempt: Callable[[Placement], Awaitable[T]]) -> T:
        deadline = time.monotonic() + self._limits.wait_seconds
        with measured("route"):
            placement = await self._placements.get(client_id)
        try:
            try:
                return await attempt(placement)
            except ConnectionLost:
                # Nothing speaks against the placement: the directory need not answer for this.
                return await attempt(placement)
        except Refused as refused:
            self.fences.refusals[placement.shard, type(refused)] += 1
            if isinstance(refused, Fenced):
                return await self._wait_at_fence(placement, attempt, deadline)
            return await self._once_more(client_id, attempt, deadline)

    async def _once_more(
        self, client_id: UUID, attempt: Callable[[Placement], Awaitable[T]], deadline: float
    ) -> T:
        """With the directory asked anew; again for a moment, since a move changes one after the
        other: the directory, the target, the source."""
        placement = await self._placements.fetch(client_id)
        try:
            return await attempt(placement)
        except Fenced:
            return await self._wait_at_fence(placement, attempt, deadline)
        except Refused as error:
            step_ends = min(deadline, time.monotonic() + _STEP_SECONDS)
            try:
                return await self._wait_at_fence(placement, attempt, step_ends)
            except TenantMoving:
                raise TenantMisplaced(
                    f"{placement.shard} refuses {client_id} at epoch {placement.epoch}: {error}"
                ) from error

    async def _wait_at_fence(
        self,
        refused: Placement,
        attempt: Callable[[Placement], Awaitable[T]],
        deadline: float,
    ) -> T:
        """A pause of a move is milliseconds: wait for it, in a queue with a bound (I9).

        `deadline` counts from the first attempt, which may itself have waited for a mover's lock.
        """
        client_id = refused.client_id
        if self.fences.waiting >= self._limits.max_waiting:
            raise TenantMoving("too many callers wait at this fence")
        self.fences.waiting += 1
        began = time.monotonic()
        pause, waited = _FENCE_POLL_SECONDS, False
        try:
            while time.monotonic() < deadline:
                change = self._placements.next_change(client_id)
                placement = await self._placements.fetch(client_id)
                if waited or placement != refused:
                    try:
                        return await attempt(placement)
                    except Refused:
                        pass
                waited = True
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await change.wait()
                pause = _CHANGED_POLL_SECONDS if change.is_set() else pause * 2
                pause = min(pause, _LONGEST_FENCE_POLL_SECONDS)
            raise TenantMoving(f"{client_id} stayed fenced")
        finally:
            self.fences.waiting -= 1
            self.fences.waits.observe(time.monotonic() - began)
