"""Some things side by side: the next begins when one has ended, the first fault ends all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

_AT_ONCE: Final = 8
"""Small blobs are mostly waiting."""


class AtOnce:
    """Work that is named, so that nothing is at work twice. `async with` waits for all of it.

    `done` is called whenever something was.
    """

    def __init__(self, done: Callable[[], None] = lambda: None) -> None:
        self._done = done
        self._running: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> AtOnce:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self._running:
                await self._wait(asyncio.ALL_COMPLETED)
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    def runs(self, name: str) -> bool:
        """Whether work of this name is under way."""
        return name in self._running

    async def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Begin as soon as there is room; raises what other work has raised."""
        try:
            while len(self._running) >= _AT_ONCE or self.runs(name):
                await self._wait(asyncio.FIRST_COMPLETED)
        except BaseException:
            work.close()
            raise
        self._running[name] = asyncio.create_task(work)

    async def _wait(self, until: str) -> None:
        done, _ = await asyncio.wait(self._running.values(), return_when=until)
        self._running = {name: task for name, task in self._running.items() if task not in done}
        for task in done:
            task.result()
        self._done()
