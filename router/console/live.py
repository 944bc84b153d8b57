"""Pages that stay fresh: what somebody looks at is made anew once, for all who look.

One task of a process looks, while there is anybody to look for. How many streams there are is
bounded, and a stream ends with the login that opened it (I9).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from services.errors import Overloaded, ServiceError

_log = logging.getLogger(__name__)

Make = Callable[[], Awaitable[str]]
Fault = Callable[[ServiceError | None], str]


@dataclass(slots=True)
class _Channel:
    """One page as it is at present. `version` counts how often it has changed."""

    make: Make
    viewers: int = 0
    html: str = ""
    version: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)


class Viewer:
    """Who looks at a channel; remembers what they have seen."""

    def __init__(self, channel: _Channel) -> None:
        self._channel = channel
        self._seen = 0

    async def next(self, seconds: float) -> str | None:
        """The page once it is another than was seen last; None when it stays the same so long."""
        channel = self._channel
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), channel.changed:
                await channel.changed.wait_for(lambda: channel.version > self._seen)
            self._seen = channel.version
            return channel.html
        return None


class Live:
    """The channels of one process. `fault` makes the page of one that cannot be seen now."""

    def __init__(self, every_seconds: float, most: int, fault: Fault) -> None:
        self._every_seconds = every_seconds
        self._most = most
        self._fault = fault
        self._channels: dict[str, _Channel] = {}
        self._viewers = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def viewers(self) -> int:
        """How many look."""
        return self._viewers

    @asynccontextmanager
    async def viewer(self, name: str, make: Make) -> AsyncIterator[Viewer]:
        """Look at a channel; `make` is who makes it where nobody looks yet.

        Raises:
            Overloaded: too many look already.
        """
        if self._viewers >= self._most:
            raise Overloaded("Too many pages are kept fresh here: load this one anew by hand.")
        channel = self._channels.setdefault(name, _Channel(make))
        channel.viewers += 1
        self._viewers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._keep_looking(), name="console")
        try:
            yield Viewer(channel)
        finally:
            channel.viewers -= 1
            self._viewers -= 1
            if not channel.viewers:
                self._channels.pop(name, None)

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _keep_looking(self) -> None:
        try:
            while self._channels:
                for channel in list(self._channels.values()):
                    await self._look(channel)
                await asyncio.sleep(self._every_seconds)
        finally:
            # In the same step as the last look at who looks: nobody is left behind.
            self._task = None

    async def _look(self, channel: _Channel) -> None:
        try:
            html = await channel.make()
        except ServiceError as error:
            # Who looks is told what it is, and what failed beneath is in the figures.
            html = self._fault(error)
        except Exception:
            # Whatever it is, there is a next look: nobody else would find out (I10). A fault that
            # stays is logged once, and not every second for as long as somebody looks.
            html = self._fault(None)
            if html != channel.html:
                _log.exception("a page of the console cannot be made")
        if html != channel.html:
            async with channel.changed:
                channel.html, channel.version = html, channel.version + 1
                channel.changed.notify_all()
