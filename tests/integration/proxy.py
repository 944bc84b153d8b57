"""A tiny TCP proxy that can be told to answer 503, to be slow, or to cut: what networks do."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_REFUSAL = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class Proxy:
    """Passes bytes on to `port` unless it is told otherwise."""

    target: int
    port: int = 0
    deaf: bool = False
    """Breaks every new connection at once, as where nobody listens."""
    refuses: bool = False
    """Answers every new connection with 503."""
    delay_seconds: float = 0.0
    """Waits so long before it passes anything on."""
    _lines: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self.deaf:
            writer.transport.abort()
            return
        self._lines.add(writer)
        try:
            if self.refuses:
                await reader.read(1)
                writer.write(_REFUSAL)
                await writer.drain()
                return
            await asyncio.sleep(self.delay_seconds)
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            self._lines.add(back)
            await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))
        except (ConnectionError, OSError):
            return
        finally:
            writer.close()

    def cut(self) -> None:
        """End every connection in the middle."""
        for line in self._lines:
            line.transport.abort()
        self._lines.clear()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def proxy_to(port: int) -> AsyncIterator[Proxy]:
    """A proxy on a free port for the length of the block."""
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
