"""Runners of moves that can be killed, and stopped and continued: each a thread with its own loop.

What SIGSTOP does to a process a blocked loop does to a thread: nothing of the runner goes on, no
heartbeat either, while its connections stay open. What SIGKILL does is nearly what happens when all
its tasks are cancelled and nothing is given back: leases stay, transactions end with connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from global_db.address import NodeAddress
from global_db.cluster import PoolLimits
from global_db.errors import ClusterError
from services.fleet.audit_links import link_clients
from services.fleet.moving.run import Run
from services.fleet.moving.runner import Rhythm, Runner
from services.move_settings import MoveSettings
from services.resources import Data
from tests.integration.databases import Bounds, Fleet
from tests.integration.postgres import MOVER, WORKER

# The product's own, but for a watch that spares a machine with many at work.
RHYTHM = Rhythm(look=0.2, farewell=8.0)
# Who ends a grace is the history, not the clock.
SETTINGS = MoveSettings(grace_seconds=3600, at_a_time=3)
BOUNDS = Bounds(pool=PoolLimits(max_size=4))
_END_SECONDS = 30.0

Met = Callable[["Worker", Run, str, bool], Awaitable[None]]
"""Told of each step of a worker's moves."""


@dataclass(eq=False)
class Worker:
    """One runner."""

    fleet: Fleet
    directory: NodeAddress
    met: Met
    _ready: threading.Event = field(default_factory=threading.Event)
    _running: threading.Event = field(default_factory=threading.Event)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _dead: bool = False

    def __post_init__(self) -> None:
        self._running.set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._live, name="a runner", daemon=True)
        self._thread.start()
        assert self._ready.wait(_END_SECONDS)

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return not self._running.is_set()

    def freeze(self) -> None:
        """Let nothing of it go on."""
        self._running.clear()
        self._loop.call_soon_threadsafe(self._running.wait)

    def thaw(self) -> None:
        """Let it go on where it was."""
        self._running.set()

    def kill(self) -> None:
        """End it at once: no lease is given back."""
        self._dead = True
        self._loop.call_soon_threadsafe(self._stop.set)
        self.thaw()

    def stop(self) -> None:
        """End it in order."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self.thaw()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join(_END_SECONDS)
        assert not self._thread.is_alive(), "a runner did not end"

    def _live(self) -> None:
        try:
            self._loop.run_until_complete(self._work())
        finally:
            self._loop.close()

    async def _work(self) -> None:
        async with self._opened(MOVER) as mover, self._opened(WORKER) as worker:

            async def link_audit(shard: str, clients: Sequence[UUID]) -> None:
                await worker.registry.refresh()
                await link_clients(worker.registry.cluster(shard), clients)

            async def told(run: Run, step: str, done: bool) -> None:
                await self.met(self, run, step, done)

            runner = Runner(mover, SETTINGS, link_audit, told, RHYTHM)
            ordered = asyncio.Event()
            task = asyncio.create_task(runner.run(ordered))
            self._ready.set()
            await self._stop.wait()
            if self._dead:
                for run in runner.running:
                    run.cancel()
                task.cancel()
            ordered.set()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @asynccontextmanager
    async def _opened(self, role: str) -> AsyncIterator[Data]:
        async with self.fleet.opened(role, BOUNDS, self.directory) as data:
            with contextlib.suppress(ClusterError):
                await data.registry.refresh()
            yield data


@dataclass
class Crew:
    """All runners of a fleet."""

    fleet: Fleet
    directory: NodeAddress
    met: Met
    workers: list[Worker] = field(default_factory=list)
    dead: list[Worker] = field(default_factory=list)
    _choosing: threading.Lock = field(default_factory=threading.Lock)

    def engage(self) -> None:
        """One more."""
        self.workers.append(Worker(self.fleet, self.directory, self.met))

    def replace(self, worker: Worker) -> None:
        """Kill one, and let another take its place."""
        with self._choosing:
            if worker not in self.workers:
                return
            self.engage()
            self.workers.remove(worker)
            self.dead.append(worker)
            worker.kill()

    def freeze(self, worker: Worker) -> None:
        """Let one stand still, while another is awake: tenants may wait at its fence."""
        with self._choosing:
            if any(not one.frozen for one in self.workers if one is not worker):
                worker.freeze()

    def thaw(self) -> None:
        """Let all go on."""
        for worker in self.workers:
            worker.thaw()

    def dismiss(self) -> None:
        """End all; the dead have ended."""
        for worker in self.workers:
            worker.stop()
        for worker in [*self.dead, *self.workers]:
            worker.join()
        self.workers.clear()
