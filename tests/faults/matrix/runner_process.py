"""A runner of moves in a process of its own, led by a test over its standard streams.

It is the product's runner, with the environment of a worker. Lines of JSON go both ways:

    in   {"do": "run", "rhythm": {…}}   {"do": "go", "wish": …}   {"do": "stop"}
         {"do": "hold", "step": …, "done": …, "passes": …, "besides": move}
    out  {"is": "ready" | "running" | "armed" | "held" | "stopped"}
         {"is": "told", "move": …, "generation": …, "state": …, "step": …, "done": …}

At the step that it is to hold at, when it has passed it so often, it waits for `go`; with a wish in
it, until that wish was heard. It ends when the test does.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.fleet.audit_links import link_clients
from services.fleet.moving.run import Run
from services.fleet.moving.runner import Rhythm, Runner
from services.resources import Data, open_data
from services.settings import DatabaseRole, Settings
from tests.integration.waiting import until

_HEARD_SECONDS = 5.0


def say(what: str, **more: Any) -> None:
    """Tell the test."""
    sys.stdout.write(json.dumps({"is": what, **more}) + "\n")
    sys.stdout.flush()


@dataclass
class Led:
    """A runner and where it is to hold."""

    settings: Settings
    mover: Data
    worker: Data
    hold: dict[str, Any] | None = None
    _go: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _running: asyncio.Task[None] | None = None

    async def obey(self, order: dict[str, Any]) -> None:
        """Do what a line asks for."""
        match order.pop("do"):
            case "run":
                self._stop, self._go = asyncio.Event(), asyncio.Queue()
                made = Runner(
                    self.mover,
                    self.settings.moves,
                    self._link,
                    self._told,
                    Rhythm(**order["rhythm"]),
                )
                self._running = asyncio.create_task(made.run(self._stop))
                say("running")
            case "hold":
                self.hold = order
                say("armed")
            case "go":
                self._go.put_nowait(order["wish"])
            case "stop":
                await self._end()
                say("stopped")

    async def _end(self) -> None:
        self.hold = None
        self._go.put_nowait(None)
        self._stop.set()
        if self._running is not None:
            await self._running
            self._running = None

    async def _told(self, run: Run, step: str, done: bool) -> None:
        move = str(run.move.id)
        say(
            "told",
            move=move,
            generation=run.move.generation,
            state=run.state,
            step=step,
            done=done,
        )
        if self._is_there(move, step, done):
            self.hold = None
            say("held")
            wish = await self._go.get()

            async def heard() -> bool:
                return wish in (None, run.wish)

            await until(heard, _HEARD_SECONDS)

    def _is_there(self, move: str, step: str, done: bool) -> bool:
        hold = self.hold
        if not hold or (hold["step"], hold["done"]) != (step, done) or hold["besides"] == move:
            return False
        hold["passes"] -= 1
        return int(hold["passes"]) < 0

    async def _link(self, shard: str, clients: Sequence[UUID]) -> None:
        await link_clients(self.worker.registry.cluster(shard), clients)


async def main() -> None:
    """Obey until the test ends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(message)s")
    loop, lines, settings = asyncio.get_running_loop(), asyncio.StreamReader(), Settings()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with AsyncExitStack() as stack:
        mover, worker = [
            await stack.enter_async_context(open_data(settings, role))
            for role in (DatabaseRole.MOVER, DatabaseRole.WORKER)
        ]
        for data in (mover, worker):
            await data.registry.refresh()
        led = Led(settings, mover, worker)
        say("ready")
        while line := await lines.readline():
            await led.obey(json.loads(line))
        # Whoever led it is gone: nothing is worth an orderly end.
        os._exit(0)


def be() -> None:
    """Be that process."""
    asyncio.run(main())
