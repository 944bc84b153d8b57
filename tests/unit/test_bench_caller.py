"""The benchmarks' own client: it counts whole answers, refuses wrong ones, and times from the
schedule."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, repeat

import pytest

from loadtests.bench.caller import (
    BadAnswer,
    Due,
    Script,
    closed_loop,
    open_loop,
    request,
    with_keys,
)

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nContent-Length: 5\r\n\r\n"


@asynccontextmanager
async def answering(*pieces: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers each request with these pieces, each a segment of its own; its port,
    and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            asked.append(head)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(serve(reader, writer)))

    tasks: list[asyncio.Task[None]] = []
    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def get(path: str) -> bytes:
    return request("GET", path, "token")


@pytest.mark.parametrize(
    "pieces",
    [(HEAD + b"hello",), (HEAD, b"hello"), (HEAD[:20], HEAD[20:] + b"he", b"llo")],
    ids=["whole", "head first", "torn"],
)
async def test_an_answer_is_counted_however_it_arrives(pieces: Sequence[bytes]) -> None:
    async with answering(*pieces) as (port, asked):
        scripts = [Script(cycle([get("/a"), get("/b")]), 200) for _ in range(2)]
        load = await closed_loop(port, scripts, seconds=0.05)
    assert load.answers == len(asked) >= 4
    assert load.seconds >= 0.05
    assert {line.split()[1] for line in asked} == {b"/a", b"/b"}


async def test_another_status_ends_the_run() -> None:
    async with answering(HEAD.replace(b"200 OK", b"429 No") + b"slow!") as (port, _):
        with pytest.raises(BadAnswer, match=r"(?s)429.*slow!"):
            await closed_loop(port, [Script(repeat(get("/")), 200)], seconds=5)


async def test_a_lost_connection_ends_the_run() -> None:
    async with answering() as (port, _):
        pass
    with pytest.raises((BadAnswer, ConnectionError)):
        await closed_loop(port, [Script(repeat(get("/")), 200)], seconds=5)


async def test_latency_counts_from_when_a_request_was_due() -> None:
    """Due before the start: the server is not asked less because somebody stood still."""
    async with answering(HEAD + b"hello") as (port, asked):
        took = await open_loop(port, [Due(-2.0, "late", get("/")), Due(0.0, "now", get("/"))])
    assert len(asked) == 2
    assert min(seconds for kind, seconds in took if kind == "late") > 2.0
    assert {kind for kind, _ in took} == {"late", "now"}


def test_a_body_is_json_of_its_length() -> None:
    asked = request("POST", "/x", "token", b"{}")
    head, body = asked.split(b"\r\n\r\n")
    assert body == b"{}"
    assert {b"Content-Length: 2", b"Authorization: Bearer token"} <= set(head.splitlines())


def test_every_request_has_a_key_of_its_own() -> None:
    asked = with_keys(request("POST", "/x", "token", b"{}"))
    first, second = next(asked), next(asked)
    assert first != second
    for one in (first, second):
        assert one.endswith(b"\r\n\r\n{}")
        assert one.count(b"\r\nIdempotency-Key: ") == 1
