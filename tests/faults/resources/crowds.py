"""Crowds of callers that do nothing good with the lines they open."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from dataclasses import dataclass
from typing import Final

from tests.faults.resources.router_process import RouterProcess

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]
# One for all: by default each new caller would read the certificates of authorities.
TLS: Final = ssl.create_default_context()


@dataclass(frozen=True)
class Crowd:
    """Lines that somebody opened and does nothing good with."""

    lines: list[Line]

    def shout(self, text: bytes) -> None:
        """Send the same on every line."""
        for _, writer in self.lines:
            with contextlib.suppress(OSError):
                writer.write(text)

    async def until_closed(self, seconds: float) -> float:
        """Wait until the other side has ended every line; gives how long that took."""
        begun = time.monotonic()
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(_drained(reader) for reader, _ in self.lines))
        return time.monotonic() - begun

    def close(self) -> None:
        """Let them go."""
        for _, writer in self.lines:
            writer.transport.abort()


async def _drained(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(65_536):
            pass


async def crowd_before(router: RouterProcess, size: int) -> Crowd:
    """So many callers, connected."""
    opening = (asyncio.open_connection("127.0.0.1", router.port, limit=2048) for _ in range(size))
    return Crowd(list(await asyncio.gather(*opening)))
