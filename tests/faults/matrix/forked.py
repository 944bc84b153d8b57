"""A process that has imported everything when it starts, and is led over its standard streams."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import FileIO
from multiprocessing.connection import Connection, Pipe
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.command import starter


@dataclass(frozen=True, eq=False)
class Forked:
    """It runs, or has `ended`. What it says comes through `words`."""

    process: BaseProcess
    words: asyncio.StreamReader
    _orders: asyncio.WriteTransport
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    async def start(
        cls, be: Callable[[], None], environment: Mapping[str, str], log: Path
    ) -> Forked:
        """Fork one that calls `be`, a function of a module, with this added to its environment."""
        (orders, leads), (hears, says) = Pipe(duplex=False), Pipe(duplex=False)
        whole = {**os.environ, **environment}
        process = starter().Process(target=_become, args=(be, whole, (orders, says), log))
        # The first one waits until the process it is forked from has imported everything.
        await asyncio.to_thread(process.start)
        for given in (orders, says):
            given.close()
        loop, words = asyncio.get_running_loop(), asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), _file(hears))
        transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, _file(leads))
        made = cls(process, words, transport)
        loop.add_reader(process.sentinel, made._bury)
        return made

    def send(self, line: bytes) -> None:
        """Give it a line."""
        self._orders.write(line + b"\n")

    def signal(self, number: int) -> None:
        """Send it this signal, unless it has ended."""
        if not self.ended.is_set():
            os.kill(self.process.ident or 0, number)

    def _bury(self) -> None:
        asyncio.get_running_loop().remove_reader(self.process.sentinel)
        self.process.join()
        self.ended.set()


def _file(end: Connection) -> FileIO:
    return FileIO(os.dup(end.fileno()), "rb" if end.readable else "wb")


def _become(
    be: Callable[[], None],
    environment: dict[str, str],
    streams: tuple[Connection, Connection],
    log: Path,
) -> None:
    with log.open("ab") as errors:
        orders, says = streams
        for number, given in enumerate((orders.fileno(), says.fileno(), errors.fileno())):
            os.dup2(given, number)
    for stream in streams:
        stream.close()
    os.environ.clear()
    os.environ.update(environment)
    # A forked process was given an empty one.
    sys.stdin = os.fdopen(0)
    be()
