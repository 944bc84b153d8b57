"""A TCP line between the service and a server, which a test can watch, hold and cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from global_db.cluster import NodeAddress


@dataclass(eq=False)
class _Line:
    """One connection through the wire. `ending`: the next answer is kept back, and it breaks."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    ending: bool = False

    def abort(self) -> None:
        for end in (self.client, self.server):
            end.transport.abort()


class Wire:
    """Forwards bytes both ways. `requests` are those that came from clients; `held` is set once
    `hold_from` has kept one back."""

    def __init__(self, address: NodeAddress) -> None:
        self._upstream = address
        self._port = 0
        self._lines: set[_Line] = set()
        self._refusing = False
        self._open = asyncio.Event()
        self._open.set()
        self._hold_from: bytes | None = None
        self.held = asyncio.Event()
        self._cut_before: bytes | None = None
        self._cut_after: bytes | None = None
        self.requests: list[bytes] = []

    @property
    def address(self) -> NodeAddress:
        """What a `Cluster` takes for the server's own address."""
        return NodeAddress(name="wire", host="127.0.0.1", port=self._port)

    def count(self, words: bytes) -> int:
        """How many requests had these words in them."""
        return sum(words in request for request in self.requests)

    def cut(self) -> None:
        """Break every connection and let no new one through."""
        self._refusing = True
        for line in self._lines:
            line.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self._refusing = False

    def hold(self) -> None:
        """Keep every further request back until `release`."""
        self._open.clear()

    def hold_from(self, words: bytes) -> None:
        """Keep the next request with these words back, and every further one, until `release`."""
        self._hold_from = words
        self.held.clear()

    def release(self) -> None:
        """Let what was held back go on."""
        self._open.set()

    def cut_before(self, words: bytes) -> None:
        """Break the next connection that sends these words: the server never gets them."""
        self._cut_before = words

    def cut_after(self, words: bytes) -> None:
        """Break the next connection that sends these words, once the server has answered."""
        self._cut_after = words

    @asynccontextmanager
    async def up(self) -> AsyncIterator["Wire"]:
        """Listen while the block lasts."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.release()
            self.cut()

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self._refusing:
            client.transport.abort()
            return
        answers, server = await asyncio.open_connection(self._upstream.host, self._upstream.port)
        line = _Line(client, server)
        self._lines.add(line)
        pumps = [
            asyncio.create_task(self._forward_requests(reader, line)),
            asyncio.create_task(self._forward_answers(answers, line)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        line.abort()
        await asyncio.wait(pumps)
        self._lines.discard(line)

    async def _forward_requests(self, reader: asyncio.StreamReader, line: _Line) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                self.requests.append(data)
                if self._hold_from is not None and self._hold_from in data:
                    self._hold_from = None
                    self.hold()
                    self.held.set()
                await self._open.wait()
                if self._cut_before is not None and self._cut_before in data:
                    self._cut_before = None
                    return
                if self._cut_after is not None and self._cut_after in data:
                    self._cut_after, line.ending = None, True
                line.server.write(data)
                await line.server.drain()

    async def _forward_answers(self, reader: asyncio.StreamReader, line: _Line) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if line.ending:
                    return
                line.client.write(data)
                await line.client.drain()
