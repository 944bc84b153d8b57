"""Runner processes as a test sees them: led over pipes, ended and frozen by pid, kept warm."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from services.fleet.moving.runner import Rhythm
from tests.faults.matrix import runner_process
from tests.faults.matrix.forked import Forked
from tests.faults.matrix.points import Point

QUICK = Rhythm(lease=2.0, heartbeat=0.25, doubt=1.5, look=0.15)
"""A dead runner is followed soon: the lease is as short as a busy machine allows."""
_START_SECONDS = 120.0
_ANSWER_SECONDS = 30.0


class RunnerDied(Exception):
    """The process ended by itself: its log says why."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a runner said around a step."""

    move: str
    generation: int
    state: str
    step: str
    done: bool


@dataclass
class RunnerProcess:
    """One runner. `told` is what it said since it was last told to run."""

    process: Forked
    told: list[Told] = field(default_factory=list)
    alive: bool = True
    runs: bool = False
    _said: dict[str, asyncio.Event] = field(default_factory=dict)
    _listening: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, environment: Mapping[str, str], log: Path) -> RunnerProcess:
        """Start one that connects and then waits for orders."""
        process = await Forked.start(runner_process.be, environment, log)
        made = cls(process)
        made._listening = asyncio.create_task(made._listen())
        await made._says("ready", _START_SECONDS)
        return made

    async def run(self, rhythm: Rhythm = QUICK) -> None:
        """Let it claim and run moves."""
        self.told.clear()
        await self._order("running", do="run", rhythm=asdict(rhythm))
        self.runs = True

    async def hold(self, point: Point, besides: str | None = None) -> None:
        """Let it wait at this point, once, in any move but that one."""
        self._event("held").clear()
        where = {"step": point.step, "done": point.done, "passes": point.passes}
        await self._order("armed", do="hold", besides=besides, **where)

    async def held(self, seconds: float) -> bool:
        """Wait until it waits there; False when it does not come there in time."""
        try:
            await self._says("held", seconds)
        except TimeoutError:
            return False
        return True

    def go(self, wish: str | None = None) -> None:
        """Let it go on; with a wish, as soon as it has heard that."""
        self._event("held").clear()
        self._send(do="go", wish=wish)

    async def stop(self) -> None:
        """An orderly stop: it can run again."""
        if self.alive and self.runs:
            await self._order("stopped", do="stop")
            self.runs = False

    def freeze(self) -> None:
        """It keeps its connections and does nothing."""
        self.process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on, and does not know that time has passed."""
        self.process.signal(signal.SIGCONT)

    async def kill(self) -> None:
        """It is gone: nothing of it runs on, nothing is given back."""
        self.alive = self.runs = False
        self.process.signal(signal.SIGKILL)
        await self.process.ended.wait()

    async def _order(self, answer: str, **order: Any) -> None:
        self._event(answer).clear()
        self._send(**order)
        await self._says(answer, _ANSWER_SECONDS)

    def _send(self, **order: Any) -> None:
        self.process.send(json.dumps(order).encode())

    async def _says(self, what: str, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            await self._event(what).wait()
        if self.process.ended.is_set() and self.alive:
            raise RunnerDied(f"pid {self.process.process.pid}")

    async def _listen(self) -> None:
        while line := await self.process.words.readline():
            said = json.loads(line)
            if (what := said.pop("is")) == "told":
                self.told.append(Told(**said))
            else:
                self._event(what).set()
        # Whoever waits for a word of it must not wait for ever.
        await self.process.ended.wait()
        for event in self._said.values():
            event.set()

    def _event(self, name: str) -> asyncio.Event:
        return self._said.setdefault(name, asyncio.Event())


@dataclass
class Runners:
    """Warm runners: the next ones start while a case runs."""

    environment: Mapping[str, str]
    folder: Path
    spare: int = 2
    _warm: list[asyncio.Task[RunnerProcess]] = field(default_factory=list)

    def warm_up(self) -> None:
        """Have enough of them started."""
        while len(self._warm) < self.spare:
            log = self.folder / "runners.log"
            self._warm.append(asyncio.create_task(RunnerProcess.start(self.environment, log)))

    async def take(self) -> RunnerProcess:
        """One that waits for orders."""
        self.warm_up()
        return await self._warm.pop(0)

    async def give_back(self, runner: RunnerProcess) -> None:
        """Stop it in order, and keep it when it lives."""
        await runner.stop()
        if runner.alive:
            kept: asyncio.Future[RunnerProcess] = asyncio.get_running_loop().create_future()
            kept.set_result(runner)
            self._warm.insert(0, asyncio.ensure_future(kept))

    async def close(self) -> None:
        """End them all."""
        for runner in await asyncio.gather(*self._warm):
            await runner.kill()
