"""A caller that costs little: requests are made beforehand, connections kept, answers counted.

Client and server share a few cores here, so what the client takes is missing elsewhere. A client
library takes longer for a request than a good server; this one takes some ten microseconds, which
the benchmarks print beside the servers' own. (`wrk` would take a fifth of that, but would have to
be installed, and would tell only how many answers were wrong, not which.)

Each caller has one connection and one request under way: a closed loop. For latencies there is an
open one: arrivals by a schedule, timed from when they were due, so that a server that stands still
is not asked less for it.
"""

import asyncio
import re
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar, cast

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_END = b"\r\n\r\n"
_PATIENCE_SECONDS = 30.0


class BadAnswer(Exception):
    """An answer was not what it must be: figures of such a run say nothing."""


@dataclass(frozen=True, slots=True)
class Script:
    """What one caller sends, one after the other without end; every answer must have `status`."""

    requests: Iterator[bytes]
    status: int


@dataclass(frozen=True, slots=True)
class Load:
    """What a round of a closed loop did."""

    answers: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Due:
    """A request that is to be sent `at` so many seconds from the start."""

    at: float
    kind: str
    request: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `last` ends it, and is all of a short one."""

    status: int
    last: bytes


def demand(answer: Answer, status: int) -> None:
    """See that the answer has this status. Raises BadAnswer."""
    if answer.status != status:
        raise _bad(answer.status, answer.last)


def _bad(status: int, last: bytes) -> BadAnswer:
    return BadAnswer(f"{status}: {last[-1000:].decode(errors='replace')}")


def request(method: str, path: str, bearer: str, body: bytes | None = None) -> bytes:
    """The bytes of a request; a body is JSON."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {bearer}"]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + (body or b"")


def with_keys(asked: bytes) -> Iterator[bytes]:
    """The request with a new Idempotency-Key each time."""
    head, end, body = asked.partition(_END)
    whose = secrets.token_hex(8)
    for number in count():
        yield b"%b\r\nIdempotency-Key: %b-%d%b%b" % (head, whose.encode(), number, end, body)


async def connected(port: int) -> "Line":
    """A new line to the server on this port of the machine."""
    return await _connect(port, Line())


async def closed_loop(port: int, scripts: Sequence[Script], seconds: float) -> Load:
    """Let each script's caller ask without pause for so long, and take its last answer.

    Raises:
        BadAnswer.
    """
    loop = asyncio.get_running_loop()
    callers = [_Caller(script, loop.create_future()) for script in scripts]
    for caller in callers:
        await _connect(port, caller)
    start = time.perf_counter()
    for caller in callers:
        caller.begin(start + seconds)
    try:
        async with asyncio.timeout(seconds + _PATIENCE_SECONDS):
            await asyncio.gather(*(caller.done for caller in callers))
    finally:
        ended = time.perf_counter()
        for caller in callers:
            caller.close()
    return Load(sum(caller.answers for caller in callers), ended - start)


async def open_loop(port: int, arrivals: Sequence[Due]) -> list[tuple[str, float]]:
    """Send each request when it is due; kind and seconds from then to its answer, of each.

    Raises:
        BadAnswer.
    """
    idle: list[Line] = []
    start, took, tasks = time.perf_counter(), list[tuple[str, float]](), []

    async def send(due: Due) -> None:
        line = idle.pop() if idle else await connected(port)
        demand(await line.ask(due.request), 200)
        took.append((due.kind, time.perf_counter() - start - due.at))
        idle.append(line)

    for due in arrivals:
        await asyncio.sleep(max(0.0, start + due.at - time.perf_counter()))
        tasks.append(asyncio.create_task(send(due)))
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await asyncio.gather(*tasks)
    for line in idle:
        line.close()
    return took


class _Connection(asyncio.Protocol, ABC):
    """Knows where answers end; who asks is told of each."""

    _transport: asyncio.Transport
    _head = b""
    _left = 0
    _status = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # as TCP has it

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._left -= len(data)
        else:
            data = self._head + data
            end = data.find(_END)
            if end < 0:
                self._head = data
                return
            self._head = b""
            self._status = int(data[9:12])
            found = _LENGTH.search(data, 0, end + 2)
            self._left = (int(found[1]) if found else 0) - (len(data) - end - len(_END))
        if self._left <= 0:
            self._left = 0
            self._answered(self._status, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._failed(BadAnswer(f"the connection was lost: {exc}"))

    @property
    def closed(self) -> bool:
        """Whether either side has ended it: a server ends one that rests for seconds."""
        return self._transport.is_closing()

    def close(self) -> None:
        self._transport.close()

    @abstractmethod
    def _answered(self, status: int, last: bytes) -> None:
        """An answer is there; `last` ends it, and is all of a short one."""

    @abstractmethod
    def _failed(self, error: Exception) -> None:
        """No answer will come."""


@dataclass
class _Caller(_Connection):
    """Sends its script until the time is over. `done` when the last answer is there."""

    script: Script
    done: asyncio.Future[None]
    answers: int = 0
    _end: float = 0.0
    _next: Callable[[], bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._next = self.script.requests.__next__

    def begin(self, end: float) -> None:
        """Send the first request, and others until `end`."""
        self._end = end
        self._transport.write(self._next())

    def _answered(self, status: int, last: bytes) -> None:
        if status != self.script.status:
            self._failed(_bad(status, last))
            return
        self.answers += 1
        if time.perf_counter() < self._end:
            self._transport.write(self._next())
        elif not self.done.done():
            self.done.set_result(None)

    def _failed(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Line(_Connection):
    """One request at a time."""

    _answer: asyncio.Future[Answer] | None = None

    async def ask(self, asked: bytes) -> Answer:
        """Send a request and await its answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(asked)
        return await self._answer

    def _answered(self, status: int, last: bytes) -> None:
        if self._answer is not None:
            self._answer.set_result(Answer(status, last))

    def _failed(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


_AnyConnection = TypeVar("_AnyConnection", bound=_Connection)


async def _connect(port: int, made: _AnyConnection) -> _AnyConnection:
    await asyncio.get_running_loop().create_connection(lambda: made, "127.0.0.1", port)
    return made
