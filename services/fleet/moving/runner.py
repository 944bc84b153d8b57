"""Which moves this worker runs: claims them, keeps their leases, hears what is wished.

Any number of workers may run one each. A move's lease lasts four seconds and is prolonged every
second; whoever dies is followed within five. A runner that cannot prolong a lease stops its run
before the lease ends, and what it may still have under way is refused by generation.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from global_db import move_claims, move_followups
from global_db.errors import ClusterError
from global_db.move_claims import Failure
from global_db.move_runs import RunEnded
from services.fleet.moving.mover import Failed, Resting, carry
from services.fleet.moving.run import LinkAudit, Run, Stopped, Terms, Told
from services.ids import new_id
from services.move_settings import MoveSettings
from services.resources import Data
from shards.copying.errors import Superseded

_log = logging.getLogger(__name__)

COPYING: Final = ("planned", "copying", "catching_up", "verifying")
ENDING: Final = ("fenced", "switched", "aborted")
"""Short work, or tenants wait: never behind a copy."""
LANES: Final = (COPYING, ENDING)
_TIDY_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds. A lease that could not be prolonged for `doubt` is given up by its holder."""

    lease: float = 4.0
    heartbeat: float = 1.0
    doubt: float = 3.0
    look: float = 0.5
    farewell: float = 4.0
    """So long runs may take to end in order when the worker stops."""


async def untold(_run: Run, _step: str, _done: bool) -> None:
    """Nobody watches."""


@dataclass
class Runner:
    """Runs moves until `stop` is set. `data` are the databases as the mover sees them."""

    data: Data
    settings: MoveSettings
    link_audit: LinkAudit
    told: Told = untold
    rhythm: Rhythm = field(default_factory=Rhythm)
    owner: str = field(
        default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{new_id().hex[-8:]}"
    )
    running: dict[asyncio.Task[None], tuple[Run, Sequence[str]]] = field(default_factory=dict)
    _tidied_at: float = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Claim and run moves until told to stop; then give every lease back."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                await self._look()
                await asyncio.wait(
                    {stopping, *self.running},
                    timeout=self.rhythm.look,
                    return_when=asyncio.FIRST_COMPLETED,
                )
        finally:
            stopping.cancel()
            await self._say_farewell()

    async def _look(self) -> None:
        ended = [task for task in self.running if task.done()]
        for task in ended:
            del self.running[task]
        try:
            for lane in LANES:
                while self._has_room(lane) and (claimed := await self._claim(lane)):
                    self._start(claimed, lane)
            if ended or time.monotonic() > self._tidied_at + _TIDY_SECONDS:
                await self._finish_rebalances()
                self._tidied_at = time.monotonic()
        except ClusterError as error:
            _log.info("no moves can be claimed now: %s", error)
        except Exception:
            # The worker's other work goes on whatever it is; a migration may still be to come.
            _log.exception("moves could not be claimed")

    def _has_room(self, lane: Sequence[str]) -> bool:
        return sum(one is lane for _, one in self.running.values()) < self.settings.at_a_time

    async def _claim(self, lane: Sequence[str]) -> Run | None:
        async with self.data.global_db.read() as connection:
            if not await move_claims.is_due(connection, lane):
                return None
        await self.data.registry.refresh()
        async with self.data.global_db.write() as connection:
            claimed = await move_claims.claim(connection, self.owner, self.rhythm.lease, lane)
        if claimed is None:
            return None
        terms = Terms.of(self.settings, claimed.settings)
        return Run(self.data, claimed.move, terms, self.link_audit, self.told, wish=claimed.wish)

    def _start(self, run: Run, lane: Sequence[str]) -> None:
        _log.info("move %s: %s, generation %d", run.move.id, run.move.state, run.move.generation)
        task = asyncio.create_task(self._keep(run), name=f"move {run.move.id}")
        self.running[task] = (run, lane)

    async def _keep(self, run: Run) -> None:
        """Run it as long as its lease can be prolonged."""
        ended = asyncio.Event()
        work = asyncio.create_task(self._carry(run))
        heart = asyncio.create_task(self._beat(run, ended))
        try:
            await asyncio.wait({work, heart}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # The heart ends between two beats: cancelled in one it would cost a pooled connection.
            ended.set()
            work.cancel()
            await asyncio.wait({work, heart})
        for task in (work, heart):
            if not task.cancelled() and (error := task.exception()) is not None:
                _log.error("move %s: its run broke", run.move.id, exc_info=error)

    async def _carry(self, run: Run) -> None:
        try:
            await carry(run)
        except Superseded as error:
            # Of a run that is over no row is left to be changed; one that only thinks so rests.
            _log.info("move %s: somebody else runs it: %s", run.move.id, error)
            await self._part(run, Failure(str(error), self.rhythm.heartbeat))
        except Resting:
            await self._part(run, None)
        except Stopped:
            await self._part(run, Failure("", 0.0))
        except Failed as error:
            await self._part(run, Failure(error.fault, error.seconds))

    async def _part(self, run: Run, failure: Failure | None) -> None:
        """Give the lease back; without the directory it ends by itself."""
        try:
            async with self.data.global_db.write() as connection:
                if failure is None:
                    await move_claims.rest(connection, run.move)
                elif failure.fault:
                    await move_claims.fail(connection, run.move, failure)
                else:
                    await move_claims.release(connection, run.move)
        except ClusterError as error:
            _log.info("move %s: the lease runs out by itself: %s", run.move.id, error)

    async def _beat(self, run: Run, ended: asyncio.Event) -> None:
        """Prolong the lease and hear what is wished; ends when the lease cannot be relied on."""
        known_at = time.monotonic()
        while time.monotonic() - known_at < self.rhythm.doubt:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.rhythm.heartbeat):
                    await ended.wait()
                return
            asked = time.monotonic()
            try:
                wish = await move_claims.heartbeat(self.data.global_db, run.move, self.rhythm.lease)
            except RunEnded:
                return
            except ClusterError as error:
                _log.info("move %s: no heartbeat: %s", run.move.id, error)
                continue
            known_at = asked
            run.hear(wish)
        _log.warning("move %s: its lease could not be prolonged", run.move.id)

    async def _finish_rebalances(self) -> None:
        async with self.data.global_db.write() as connection:
            for rebalance in await move_followups.finish_rebalances(connection):
                _log.info("rebalance %s is finished", rebalance)

    async def _say_farewell(self) -> None:
        """Runs end between two steps; one at its switch ends that first."""
        for run, _ in self.running.values():
            run.stop()
        if self.running:
            await asyncio.wait(self.running, timeout=self.rhythm.farewell)
        for task in self.running:
            task.cancel()
        if self.running:
            await asyncio.wait(self.running, timeout=self.rhythm.farewell)
