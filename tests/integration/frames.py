"""A line to PostgreSQL that knows its messages, and breaks at the statement it is told to.

Statements are counted over all connections together, each of those that go in one message, too; the
watchers' questions for a server's place pass uncounted and unharmed, as if the server were healthy
and one connection were not.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

from global_db.cluster import NodeAddress

_ENCRYPTION = {80877103, 80877104}  # SSLRequest, GSSENCRequest: answered by one byte, asked again
_PROBES = (b"life FROM docshard.place()", b"docshard.ancestors(", b"pg_is_in_recovery")
_BETWEEN = b";\n"  # the statements of one message, as the service joins them
_AWAITED = {b"Q", b"S"}  # Query and Sync: the server says when it is ready, and that is awaited
COMMIT = b"COMMIT;"  # as the service sends it; BEGIN has READ COMMITTED in it
_STREAM = b"START_REPLICATION"


class How(StrEnum):
    """How a statement fails."""

    BEFORE = "cut before it ran; what went before it in its message did"
    AFTER = "cut after the server had done it"
    SLOW = "slow"


@dataclass
class Fault:
    """Break at the `at`-th statement, from 1, that has `words` in it.

    `lasting`: and at each one that follows, so that trying again helps nobody.
    """

    how: How
    at: int = 1
    words: bytes = b""
    lasting: bool = False
    met: int = 0
    """How many statements have met it so far; more than 0: it has struck."""

    def strikes(self, text: bytes) -> bool:
        """Whether this statement is the one, or comes after it."""
        if self.words not in text:
            return False
        self.at -= 1
        hit = self.at == 0 or (self.lasting and self.at < 0)
        self.met += hit
        return hit


@dataclass(eq=False)
class _Line:
    """One connection. `texts` are its prepared statements by name, `bound` is what it runs next."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    texts: dict[bytes, bytes] = field(default_factory=dict)
    bound: bytes = b""
    trips: int = 0
    watches: bool = False
    """It is a watcher's."""
    ending: bool = False
    """The next answer is kept back, and the line breaks."""
    streams: bool = False
    """A subscription listens here."""

    def abort(self) -> None:
        for end in (self.client, self.server):
            end.transport.abort()

    def statements(self, message: bytes) -> list[bytes]:
        """The texts that this message runs, one behind the other."""
        kind, body = message[:1], message[5:]
        if kind == b"Q":
            # Each with what ends it, so that joined they are the message again.
            parts = body.split(_BETWEEN)
            return [*(one + _BETWEEN for one in parts[:-1]), parts[-1]]
        if kind == b"P":
            name, text, _ = body.split(b"\0", 2)
            self.texts[name] = text
        elif kind == b"B":
            _, name, _ = body.split(b"\0", 2)
            self.bound = self.texts.get(name, b"")
        return [self.bound] if kind == b"E" else []


class FrameWire:
    """Forwards messages both ways until a fault strikes."""

    def __init__(self, address: NodeAddress, slow_seconds: float = 0.05) -> None:
        self._upstream = address
        self._slow_seconds = slow_seconds
        self._port = 0
        self._lines: set[_Line] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self.fault: Fault | None = None
        self.refusing = False
        """Lets no new connection through."""
        self.stream_lag = 0.0
        """So many seconds what subscriptions are told is on its way, at least."""

    @property
    def trips(self) -> int:
        """Ways there and back that connections have made so far; those of watchers aside."""
        return sum(line.trips for line in self._lines if not line.watches)

    @property
    def address(self) -> NodeAddress:
        """What a `Cluster` takes for the server's own address."""
        return NodeAddress(name="frames", host="127.0.0.1", port=self._port)

    @asynccontextmanager
    async def up(self) -> AsyncIterator["FrameWire"]:
        """Listen while the block lasts."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            if self._serving:
                await asyncio.wait(self._serving)

    def cut(self) -> None:
        """Break every connection."""
        for line in self._lines:
            line.abort()

    def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self.refusing:
            client.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, client))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            answers, server = await asyncio.open_connection(
                self._upstream.host, self._upstream.port
            )
        except OSError:  # the server is down
            client.transport.abort()
            return
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
        with suppress(OSError, asyncio.IncompleteReadError):
            async for message in _messages(reader):
                statements = line.statements(message)
                line.streams |= any(one.startswith(_STREAM) for one in statements)
                line.trips += message[:1] in _AWAITED
                line.watches |= any(probe in one for one in statements for probe in _PROBES)
                kept = message if line.watches else await self._struck(line, message, statements)
                if not kept:
                    return
                line.server.write(kept)
                await line.server.drain()

    async def _struck(self, line: _Line, message: bytes, statements: list[bytes]) -> bytes:
        """What goes on of a message when the fault has struck, if it does; empty: it is cut."""
        fault = self.fault
        number = next((n for n, one in enumerate(statements) if fault and fault.strikes(one)), None)
        if fault is None or number is None:
            return message
        if fault.how is How.SLOW:
            await asyncio.sleep(self._slow_seconds)
            return message
        line.ending = fault.how is How.AFTER or number > 0
        return message if fault.how is How.AFTER else _query(statements[:number])

    async def _forward_answers(self, reader: asyncio.StreamReader, line: _Line) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if line.ending:
                    return
                if line.streams:
                    await asyncio.sleep(self.stream_lag)
                line.client.write(data)
                await line.client.drain()


def _query(statements: list[bytes]) -> bytes:
    """A message of these; nothing for none."""
    text = b"".join(statements) + b"\0"
    return b"Q" + (len(text) + 4).to_bytes(4) + text if statements else b""


async def _messages(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """What a client sends: first untyped messages up to the start-up packet, then typed ones."""
    while True:
        length = await reader.readexactly(4)
        body = await reader.readexactly(int.from_bytes(length) - 4)
        yield length + body
        if int.from_bytes(body[:4]) not in _ENCRYPTION:
            break
    while True:
        head = await reader.readexactly(5)
        yield head + await reader.readexactly(int.from_bytes(head[1:]) - 4)
