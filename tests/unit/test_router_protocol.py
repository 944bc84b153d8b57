"""Connections that send no request, or never end its head, are closed."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest
import uvicorn

from router.protocol import DeadlineProtocol
from tests.unit.router_frame import TinyRule, tiny_app

REQUEST = b"GET /v1/things/1 HTTP/1.1\r\nHost: x\r\n\r\n"


class ImpatientProtocol(DeadlineProtocol):
    head_seconds = 0.3


@pytest.fixture
async def port() -> AsyncIterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        tiny_app(TinyRule()), http=ImpatientProtocol, log_config=None, timeout_keep_alive=30
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listening]))
    yield listening.getsockname()[1]
    server.should_exit = True
    await serving


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
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    await reader.readuntil(b'{"number":1}')
    closed = asyncio.create_task(seconds_until_closed(reader))
    writer.write(trickle)
    while not closed.done():
        await asyncio.sleep(0.05)
        writer.write(trickle[-1:])
    assert 0.2 < await closed < 4
    writer.close()


async def test_a_whole_head_stops_the_clock(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(3):
        writer.write(REQUEST)
        await reader.readuntil(b'{"number":1}')
        await asyncio.sleep(0.4)
    writer.close()
