"""Connections that send no request, or never end its head, are closed."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from router.protocol import ENDLESS, DeadlineProtocol
from tests.integration.waiting import until
from tests.unit.router_frame import TinyRule, tiny_app

LARGE = 32 * 1024**2
REQUEST = b"GET /v1/things/1 HTTP/1.1\r\nHost: x\r\n\r\n"


HEAD = b"GET /v1/things/1 HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"PUT /v1/things/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"


class ImpatientProtocol(DeadlineProtocol):
    head_seconds = 0.3
    head_bytes = 10_000
    send_seconds = 0.3


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with more than the kernel's buffers take."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(LARGE)})


@asynccontextmanager
async def serving(
    app: ASGIApp, protocol: type[DeadlineProtocol], places: int = 1000
) -> AsyncIterator[uvicorn.Server]:
    """The application on a port of its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http=protocol, log_config=None, timeout_keep_alive=30, limit_concurrency=places
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve([listening]))
    try:
        await until_started(server)
        yield server
    finally:
        server.should_exit = True
        server.force_exit = True
        await running


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serving(tiny_app(TinyRule()), ImpatientProtocol) as server:
        yield port_of(server)


async def until_started(server: uvicorn.Server) -> None:
    async def started() -> bool:
        return server.started

    await until(started)


def port_of(server: uvicorn.Server) -> int:
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


async def seconds_until_closed(reader: asyncio.StreamReader) -> float:
    began = time.monotonic()
    await asyncio.wait_for(reader.read(), 5)
    return time.monotonic() - began


async def test_silence_is_ended(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert 0.2 < await seconds_until_closed(reader) < 4
    writer.close()


@pytest.mark.parametrize("trickle", [b"GET / HTTP/1.1\r\nX: ", b"\r\n"])
async def test_a_trickle_does_not_prolong_it(port: int, trickle: bytes) -> None:
    """It ends while bytes go on to come, each well within the time of a whole head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    await reader.readuntil(b'{"number":1}')
    writer.write(trickle)
    closed = asyncio.create_task(drained(reader))
    async with asyncio.timeout(30):
        while not (await asyncio.wait({closed}, timeout=0.05))[0]:
            writer.write(trickle[-1:])
    # The other side may have met a byte more behind its own end, and said so.
    with contextlib.suppress(ConnectionResetError):
        assert await closed == 0
    writer.close()


async def test_a_whole_head_stops_the_clock(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(3):
        writer.write(REQUEST)
        await reader.readuntil(b'{"number":1}')
        await asyncio.sleep(0.4)
    writer.close()


@pytest.mark.parametrize(
    "piece", [b"X: y\r\n", b"y" * 1000], ids=["many headers", "one that never ends"]
)
async def test_a_head_without_an_end_is_refused(port: int, piece: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + b"X: " + piece * (30_000 // len(piece)))
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"code":"headers_too_large"' in answer
    writer.close()


async def test_a_head_within_the_bound_is_taken(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + b"X: y\r\n" * 1000 + b"\r\n")
    assert (await reader.readuntil(b'{"number":1}')).startswith(b"HTTP/1.1 200 ")
    writer.close()


@pytest.mark.parametrize("piece", [b"0\r\n" + b"X: y\r\n" * 5000, b"1;" + b"x" * 30_000])
async def test_trailers_and_extensions_without_an_end_are_refused(port: int, piece: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(CHUNKED + piece)
    # The request is under way by then: a second answer into the first would be none.
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_an_answer_that_nobody_takes_is_dropped() -> None:
    """Closing would wait for the reader, and the answer would stay in memory for ever."""
    async with serving(large, ImpatientProtocol) as server:
        reader, writer = await begun(server)

        async def alone() -> bool:
            return not server.server_state.connections

        await until(alone)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(drained(reader), 5) < LARGE
        writer.close()


async def test_of_answers_that_wait_the_oldest_go_when_there_are_too_many() -> None:
    class CrampedProtocol(DeadlineProtocol):
        unsent_bytes = LARGE + LARGE // 2

    async with serving(large, CrampedProtocol) as server:
        (first, one), (second, other) = [await begun(server) for _ in range(2)]
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(drained(first), 5) < LARGE
        assert await asyncio.wait_for(second.readexactly(LARGE), 5)
        one.close()
        other.close()


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether a request on this line is served."""
    writer.write(REQUEST)
    answer = await asyncio.wait_for(reader.readuntil(b'{"number":1}'), 30)
    return answer.startswith(b"HTTP/1.1 200 ")


async def test_heads_that_do_not_end_keep_nobody_out() -> None:
    """Three times as many as there are places, and none of them is given up for its time."""
    places = 20
    async with serving(tiny_app(TinyRule()), DeadlineProtocol, places) as server:
        kept = await asyncio.open_connection("127.0.0.1", port_of(server))
        assert await answered(*kept)
        crowd = []
        for _ in range(3 * places):
            slow = await asyncio.open_connection("127.0.0.1", port_of(server))
            slow[1].write(HEAD)
            crowd.append(slow)
            new = await asyncio.open_connection("127.0.0.1", port_of(server))
            assert await answered(*new)
            assert await answered(*kept)
            assert len(server.server_state.connections) < places
            new[1].close()
        # Those went that had waited longest; the last ones still may end their heads.
        assert await asyncio.wait_for(drained(crowd[0][0]), 30) == 0
        crowd[-1][1].write(b"\r\n")
        assert (await crowd[-1][0].readline()).startswith(b"HTTP/1.1 200 ")
        for _, writer in (kept, *crowd):
            writer.close()


async def test_lines_that_are_kept_give_way_before_anybody_is_refused() -> None:
    places = 10
    async with serving(tiny_app(TinyRule()), DeadlineProtocol, places) as server:
        lines = []
        for _ in range(2 * places):
            lines.append(await asyncio.open_connection("127.0.0.1", port_of(server)))
            assert await answered(*lines[-1])
        assert len(server.server_state.connections) < places
        assert await asyncio.wait_for(drained(lines[0][0]), 30) == 0
        assert await answered(*lines[-1])
        for _, writer in lines:
            writer.close()


async def begun(server: uvicorn.Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A caller who has taken the head of a large answer and then takes nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server), limit=1000)
    writer.write(REQUEST)
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def drained(reader: asyncio.StreamReader) -> int:
    """How much there is to read."""
    taken = 0
    while piece := await reader.read(2**20):
        taken += len(piece)
    return taken


async def test_a_stopping_server_waits_for_no_answer_without_an_end() -> None:
    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        scope[ENDLESS] = True
        await receive()  # the request itself
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        assert (await receive())["type"] == "http.disconnect"

    async with serving(endless, DeadlineProtocol) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        writer.write(REQUEST)
        await asyncio.wait_for(reader.readuntil(b"begun"), 5)
        server.should_exit = True
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
