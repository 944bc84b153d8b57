"""One run of one move: what it holds, what it hears, what it writes down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from global_db import leftovers, move_runs, moves
from global_db.cluster import Cluster
from global_db.connection import WriteConnection
from global_db.leftovers import Thing
from global_db.move_runs import RunEnded
from global_db.moves import Move
from global_db.servers import Servers
from services.fleet.moving.transitions import BEFORE_SWITCH, FOLLOWING, State
from services.ids import new_id
from services.move_settings import MoveSettings
from services.resources import Data
from shards.copying.batch import Batch, Mover, Stream
from shards.copying.claims import Place
from shards.copying.errors import Superseded, Unready

LinkAudit = Callable[[str, Sequence[UUID]], Awaitable[None]]
"""Links the audit rows of these tenants of a shard into their chains; another role's work."""
Told = Callable[["Run", str, bool], Awaitable[None]]
"""Awaited around each step with its name, and whether it is done."""


class Stopped(Exception):
    """This worker is told to stop: another one goes on with the move."""


class AbortWished(Exception):
    """The operator wants the move undone."""


class Worthless(Exception):
    """What was copied cannot be trusted any more: begin again."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a move is run: the worker's settings, then what its rebalance says."""

    grace_seconds: float
    pause_seconds: float
    bytes_per_second: int | None
    standby_lag_bytes: int
    data_folder: Path | None

    @classmethod
    def of(cls, settings: MoveSettings, rebalance: Mapping[str, Any]) -> Terms:
        """The terms of a move of this rebalance; empty for a move that stands alone."""
        return cls(
            grace_seconds=float(rebalance.get("grace_seconds", settings.grace_seconds)),
            pause_seconds=settings.pause_seconds,
            bytes_per_second=rebalance.get("bytes_per_second") or settings.bytes_per_second,
            standby_lag_bytes=settings.standby_lag_bytes,
            data_folder=settings.data_folder,
        )


@dataclass
class Run:
    """A move in the hands of this worker, for as long as its lease lasts."""

    data: Data
    move: Move
    terms: Terms
    link_audit: LinkAudit
    told: Told
    batch: Batch = field(default_factory=lambda: Batch.of({}))
    wish: str = "run"
    stopping: bool = False
    first_try: bool = False
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def state(self) -> State:
        """Where the move is."""
        return State(self.move.state)

    @property
    def mover(self) -> Mover:
        """Who we are on the shards.

        A way back is fed by its parent's stream, until that breaks: then it copies as any move.
        """
        fed = None if self.move.facts.get("copies") else self.move.reverses
        return Mover(self.move.id, self.move.generation, fed)

    @property
    def source(self) -> Cluster:
        """The shard that the batch leaves."""
        return self.data.registry.cluster(self.move.source)

    @property
    def target(self) -> Cluster:
        """The shard that the batch goes to."""
        return self.data.registry.cluster(self.move.target)

    def hear(self, wish: str) -> None:
        """Take note of what is wished now."""
        self.wish = wish
        self._heard.set()

    def stop(self) -> None:
        """Let the run end in order."""
        self.stopping = True
        self._heard.set()

    async def check(self) -> None:
        """Between steps, and often within long ones: waits in a pause.

        Raises:
            Stopped, AbortWished.
        """
        while True:
            self._heard.clear()
            if self.stopping:
                raise Stopped
            if self.wish == "abort" and self.state in BEFORE_SWITCH:
                raise AbortWished
            # Whose tenants are to be given back waits for nobody.
            if self.wish != "pause" or self.state is State.ABORTED:
                return
            await self._heard.wait()

    async def advance(self, state: State, **facts: Any) -> None:
        """Record the next state.

        Raises:
            Superseded, ClusterError.
        """
        if state not in FOLLOWING[self.state]:
            raise RuntimeError(f"{state} does not follow {self.state}")
        async with self.recording() as connection:
            # The fence is part of a try, whichever way it is left.
            same_try = State.FENCED in (state, self.state) or state is State.COPYING
            moved = await move_runs.advance(
                connection, self.move, state, facts, keep_fault=same_try
            )
        self.move = moved

    async def note(self, **facts: Any) -> None:
        """Record something that was found or done.

        Raises:
            Superseded, ClusterError.
        """
        async with self.recording() as connection:
            noted = await move_runs.note(connection, self.move, facts=facts)
        self.move = noted

    async def measure(self, **actual: Any) -> None:
        """Record what something took, beside what was predicted.

        Raises:
            Superseded, ClusterError.
        """
        async with self.recording() as connection:
            noted = await move_runs.note(connection, self.move, actual=actual)
        self.move = noted

    async def leave_behind(self, things: Sequence[Thing]) -> None:
        """Record what is about to be made.

        Raises:
            Superseded, ClusterError.
            Unready: another move has not removed the same things yet.
        """
        try:
            async with self.recording() as connection:
                await leftovers.record(
                    connection, self.move, [(new_id(), thing) for thing in things]
                )
        except leftovers.HeldByAnother as error:
            raise Unready(
                f"another move still tidies up on {things[0].shard}; this one waits for its end"
            ) from error

    async def removed(self, shard: str, stream: Stream, *kinds: str) -> None:
        """Record that these parts of a stream are gone from a shard.

        Raises:
            Superseded, ClusterError.
        """
        async with self.recording() as connection:
            await leftovers.removed(connection, self.move, shard, kinds, [stream.name])

    async def has_leftovers(self) -> bool:
        """Whether anything was made that is not removed yet."""
        async with self.data.global_db.read() as connection:
            return bool(await leftovers.of_move(connection, self.move.id))

    async def load_batch(self) -> None:
        """Read which tenants are still the move's business.

        Raises:
            ClusterError.
        """
        async with self.data.global_db.read() as connection:
            found = await moves.clients_of(connection, self.move.id)
        self.batch = Batch.of({one.client_id: one.epoch for one in found if not one.ended})

    def expect(self, servers: Mapping[str, Place]) -> bool:
        """Whether source and target are the servers, on the timelines, that the copy began on."""
        known = {name: self.move.facts.get(name) for name in servers}
        return all(known[name] == described(place) for name, place in servers.items())

    @asynccontextmanager
    async def recording(self, over: Servers | None = None) -> AsyncIterator[WriteConnection]:
        """A transaction in the global database, `over` connections that are kept or any; a run that
        is over is superseded."""
        try:
            async with (over or self.data.global_db).write() as connection:
                yield connection
        except RunEnded as error:
            raise Superseded(str(error)) from error


def described(place: Place) -> dict[str, int]:
    """A place as a move's facts have it."""
    return {"system": place.system, "timeline": place.timeline}
