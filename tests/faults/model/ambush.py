"""Faults that lie in wait for a move at one of its steps."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from services.fleet.moving import abort, sweep, switch
from services.fleet.moving.run import Run
from services.fleet.moving.steps import STEPS
from tests.faults.model.crew import Crew, Worker
from tests.faults.model.stage import GLOBAL, Stage
from tests.integration.frames import COMMIT, Fault, How

ALL_STEPS: tuple[str, ...] = tuple(
    dict.fromkeys(
        [
            *(step.name for steps in STEPS.values() for step in steps),
            *switch.STEPS,
            *(
                step.name
                for steps in (abort.STEPS, sweep.LEAVING, sweep.RETURNING, sweep.SWEEPING)
                for step in steps
            ),
        ]
    )
)
"""Every step of a move, as it tells them."""
_LAG_SECONDS = 0.3


@dataclass(frozen=True)
class Ambush:
    """Does something once, before or after the next run of a step."""

    step: str
    done: bool
    deed: str


@dataclass
class Ambushes:
    """All that wait. Runners meet them in their own threads; `steps` is how many they have told."""

    stage: Stage
    waiting: list[Ambush] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)
    steps: int = 0
    crew: Crew = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lay(self, ambush: Ambush) -> None:
        """One more."""
        with self._lock:
            self.waiting.append(ambush)

    def clear(self) -> None:
        """None is left."""
        with self._lock:
            self.waiting.clear()

    async def met(self, worker: Worker, run: Run, step: str, done: bool) -> None:
        """A runner comes to a step."""
        self.steps += 1
        self.stage.tally[f"met {step}"] += done
        with self._lock:
            mine = [one for one in self.waiting if (one.step, one.done) == (step, done)][:1]
            for one in mine:
                self.waiting.remove(one)
        for one in mine:
            self.stage.tally[f"ambush: {one.deed}"] += 1
            try:
                await DEEDS[one.deed](self, worker, run)
            except Exception as error:
                self.faults.append(error)

    async def _kill(self, worker: Worker, _run: Run) -> None:
        await asyncio.to_thread(self.crew.replace, worker)
        await asyncio.Event().wait()  # nothing of it goes on

    async def _freeze(self, worker: Worker, _run: Run) -> None:
        self.crew.freeze(worker)
        await asyncio.sleep(0)

    async def _restart_source(self, _worker: Worker, run: Run) -> None:
        await asyncio.to_thread(self.stage.restart, run.move.source)

    async def _restart_target(self, _worker: Worker, run: Run) -> None:
        await asyncio.to_thread(self.stage.restart, run.move.target)

    async def _lose_directory(self, _worker: Worker, _run: Run) -> None:
        await asyncio.to_thread(self.stage.begin, self.stage.go_away(GLOBAL, 1.0))

    async def _cut_source(self, _worker: Worker, run: Run) -> None:
        self._cut(run.move.source)

    async def _cut_target(self, _worker: Worker, run: Run) -> None:
        self._cut(run.move.target)

    def _cut(self, name: str) -> None:
        self.stage.grounds.loop.call_soon_threadsafe(self.stage.wires[name].cut)

    async def _lag(self, _worker: Worker, run: Run) -> None:
        self.stage.wires[run.move.source].stream_lag = _LAG_SECONDS

    async def _commit_before(self, _worker: Worker, run: Run) -> None:
        self._spoil(run, How.BEFORE)

    async def _commit_after(self, _worker: Worker, run: Run) -> None:
        self._spoil(run, How.AFTER)

    def _spoil(self, run: Run, how: How) -> None:
        """The next COMMIT anywhere where the move is at work."""
        for name in (GLOBAL, run.move.source, run.move.target):
            self.stage.wires[name].fault = Fault(how, 1, COMMIT)


DEEDS: Mapping[str, Callable[[Ambushes, Worker, Run], Awaitable[None]]] = {
    "kill": Ambushes._kill,  # the table of its own methods
    "freeze": Ambushes._freeze,
    "restart source": Ambushes._restart_source,
    "restart target": Ambushes._restart_target,
    "directory away": Ambushes._lose_directory,
    "cut source": Ambushes._cut_source,
    "cut target": Ambushes._cut_target,
    "commit cut before": Ambushes._commit_before,
    "commit cut after": Ambushes._commit_after,
    "lag": Ambushes._lag,
}
# A lag stays, and makes every later comparison from there slow: for histories that are told.
DRAWN = sorted(DEEDS.keys() - {"lag"})
