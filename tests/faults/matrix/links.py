"""The lines to a server, told apart by who is at their other end, and cut by kind."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum

# What libpq may ask before it says who it is: TLS, or GSS encryption. Both are refused.
_QUESTIONS = {80877103, 80877104}
_NO = b"N"


class Kind(StrEnum):
    """Who speaks to a server."""

    RUNNER = "runner"
    """A mover: its pool, and its sessions of its own."""
    SUBSCRIPTION = "subscription"
    """Another server that applies a stream."""
    OTHER = "other"


@dataclass(eq=False)
class _Line:
    kind: Kind
    ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter]

    def abort(self) -> None:
        for end in self.ends:
            end.transport.abort()


@dataclass
class Links:
    """Passes bytes on to a server's port."""

    target: int
    port: int = 0
    _lines: set[_Line] = field(default_factory=set)
    _refused: set[Kind] = field(default_factory=set)

    def cut(self, kind: Kind) -> None:
        """Break all lines of this kind and let no new one through."""
        self._refused.add(kind)
        for line in self._lines:
            if line.kind is kind:
                line.abort()

    def mend(self) -> None:
        """Let everybody through again."""
        self._refused.clear()

    @asynccontextmanager
    async def up(self) -> AsyncIterator[Links]:
        """Listen while the block lasts."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for line in self._lines:
                line.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            greeting = await _greeting(reader, writer)
            kind = _kind_of(greeting)
            if kind not in self._refused:
                there, back = await asyncio.open_connection("127.0.0.1", self.target)
                back.write(greeting)
                line = _Line(kind, (writer, back))
                self._lines.add(line)
                pumps = [
                    asyncio.create_task(_pass_on(reader, back)),
                    asyncio.create_task(_pass_on(there, writer)),
                ]
                await asyncio.wait(pumps)
                self._lines.discard(line)
        writer.transport.abort()


async def _greeting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """The message that says who comes, with its length; a request to cancel has none."""
    while True:
        head = await reader.readexactly(8)
        length, code = struct.unpack("!II", head)
        if code not in _QUESTIONS:
            return head + await reader.readexactly(length - 8)
        writer.write(_NO)


def _kind_of(greeting: bytes) -> Kind:
    words = greeting[8:].split(b"\0")
    said = dict(zip(words[::2], words[1::2], strict=False))
    if said.get(b"user") != b"docshard_mover":
        return Kind.OTHER
    # A subscription has the name of its stream; a slot is made under the mover's.
    named = said.get(b"application_name", b"").startswith(b"docshard_move_")
    return Kind.SUBSCRIPTION if named else Kind.RUNNER


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    writer.close()
