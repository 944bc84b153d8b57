"""Callers that dawdle, in crowds: others are answered, memory is bounded, lines are closed (I9)."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from router.open_files import take_open_files
from services.blobs.store import BlobStore
from services.s3_settings import S3Settings
from tests.faults.resources.crowds import TLS, Crowd, crowd_before
from tests.faults.resources.lab import Neighbour, Tenant, neighbour
from tests.faults.resources.router_process import RouterProcess, router_process
from tests.integration.databases import Fleet
from tests.integration.waiting import until

MIB = 1024**2
CROWDS = [200, pytest.param(1000, marks=pytest.mark.torture)]
MORE_THAN_PLACES = 2500
_HEAD_SECONDS = 10.0
# What shells and init systems give is fewer files than a crowd has lines.
_AT_FIRST = ("prlimit", "--nofile=150:4096", "--")
_RUSH = 50
Tell = Callable[[str], None]


@pytest.fixture(scope="module")
async def router(
    fleet_dbs: Fleet,
    tmp_path_factory: pytest.TempPathFactory,
    s3_settings: S3Settings,
    blobs: BlobStore,
) -> AsyncIterator[RouterProcess]:
    # So many bodies may be awaited, too: a crowd of a thousand is more than that.
    more = {"DOCSHARD_MAX_RUNNING": "150", "DOCSHARD_BODY_TIMEOUT_SECONDS": "5"}
    folder = tmp_path_factory.mktemp("router")
    take_open_files()  # a caller of the crowd costs us one, too
    async with router_process(fleet_dbs, folder, s3_settings, more, _AT_FIRST) as made:
        yield made


async def growing(router: RouterProcess, crowd: Crowd, size: int) -> AsyncIterator[Crowd]:
    """The crowd comes some at a time: it is patience that is tried here, not a rush."""
    for _ in range(size // _RUSH):
        part = await crowd_before(router, _RUSH)
        crowd.lines.extend(part.lines)
        yield part


def head(router: RouterProcess, method: str, path: str, *fields: str) -> bytes:
    """The head of a request of the struck tenant."""
    bearer = router.struck.http.headers["Authorization"]
    lines = (f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: {bearer}", *fields, "", "")
    return "\r\n".join(lines).encode("ascii")


async def suffered(
    router: RouterProcess, tell: Tell, name: str, work: Callable[[], Awaitable[None]]
) -> Neighbour:
    """Do it while the neighbour works; tell what that cost whom."""
    async with neighbour(router.spared, pause_seconds=0.1) as others:
        before, struck_at = router.memory(), time.monotonic()
        await work()
        grown = (router.memory() - before) / MIB
    tell(f"{others.told(name, struck_at, time.monotonic())}; memory {grown:+.0f} MiB")
    assert grown < 100
    return others


@pytest.mark.parametrize("size", CROWDS)
async def test_a_crowd_that_sends_heads_slowly(
    router: RouterProcess, tell: Tell, size: int
) -> None:
    async def work() -> None:
        crowd = await crowd_before(router, size)
        crowd.shout(b"GET /v1/me HTTP/1.1\r\nX: ")
        assert await crowd.until_closed(3 * _HEAD_SECONDS) > 0
        crowd.close()

    await suffered(router, tell, f"{size} slow heads", work)


async def served_until(ended: asyncio.Task[bytes], tenant: Tenant) -> list[float]:
    """Work on the line that is there and on new ones; gives the seconds of each answer that came
    before the task ended."""
    took, key = list[float](), {"Authorization": tenant.http.headers["Authorization"]}
    while not ended.done():
        begun = time.monotonic()
        assert (await tenant.list()).is_success
        async with httpx.AsyncClient(
            base_url=tenant.http.base_url, headers=key, timeout=60, trust_env=False, verify=TLS
        ) as new:
            assert (await new.get(tenant.documents)).is_success
        if not ended.done():
            took.append(time.monotonic() - begun)
    return took


@pytest.mark.parametrize(
    "size", [*CROWDS, pytest.param(MORE_THAN_PLACES, marks=pytest.mark.torture)]
)
async def test_others_are_served_while_a_crowd_hangs(
    router: RouterProcess, tell: Tell, size: int
) -> None:
    """Whatever the machine's speed: answers come while everybody of the crowd that the router has
    places for still hangs, and nobody is refused."""
    crowd = await crowd_before(router, size)
    crowd.shout(b"GET /v1/me HTTP/1.1\r\nX: ")
    # The last one's time is not over before that of the others; those that gave way went first.
    hangs = asyncio.create_task(crowd.lines[-1][0].read())
    took = await served_until(hangs, router.spared)
    assert len(took) > 0
    crowd.close()
    tell(f"{size} slow heads hang: {len(took)} times two requests, at most {max(took):.2f} s")


@pytest.mark.parametrize("size", CROWDS)
async def test_a_crowd_that_sends_bodies_slowly(
    router: RouterProcess, tell: Tell, size: int
) -> None:
    """More than may run at a time: whoever is served at once must not wait behind them."""

    async def work() -> None:
        crowd = Crowd([])
        fields = ("Content-Type: application/json", "Content-Length: 1000000")
        begun = head(router, "POST", router.struck.documents, *fields) + b'{"original_name":'
        async for part in growing(router, crowd, size):
            part.shout(begun)
            assert (await router.struck.list()).is_success
        assert await crowd.until_closed(30) < 30
        crowd.close()

    await suffered(router, tell, f"{size} slow bodies", work)


@pytest.mark.parametrize("size", CROWDS)
async def test_a_crowd_that_reads_slowly(router: RouterProcess, tell: Tell, size: int) -> None:
    document = await router.struck.made()
    path = f"{router.struck.documents}/{document['id']}/content"
    put = await router.struck.http.put(path, content=os.urandom(8 * MIB))
    assert put.status_code == httpx.codes.CREATED, put.text

    async def work() -> None:
        crowd, answers = Crowd([]), list[bytes]()
        async for part in growing(router, crowd, size):
            part.shout(head(router, "GET", f"{path}?proxy=true"))
            answers += [await reader.readline() for reader, _ in part.lines]
        # So many downloads go on at a time; the others hear that at once and are done.
        taken = sum(b" 200 " in answer for answer in answers)
        assert 0 < taken <= 64
        assert sum(b" 503 " in answer for answer in answers) == size - taken
        crowd.close()

    await suffered(router, tell, f"{size} slow readers", work)

    async def again() -> bool:
        answer = await router.struck.http.get(f"{path}?proxy=true")
        return answer.status_code == httpx.codes.OK

    await until(again, 15)


BODIES: dict[str, tuple[int, tuple[str, ...], bytes]] = {
    "declared": (413, ("Content-Length: 99999999999",), b""),
    "chunked": (
        413,
        ("Transfer-Encoding: chunked",),
        (b"40000\r\n" + bytes(0x40000) + b"\r\n") * 8,
    ),
    "deep": (400, ("Content-Length: 1000000",), b"[" * 1_000_000),
    "wide": (422, (), json.dumps({f"k{n}": n for n in range(50_000)}).encode()),
    "headers": (431, (f"X: {'y' * 200_000}",), b""),
    "parameters": (422, (), b"{}"),
}


@pytest.mark.parametrize("kind", BODIES)
async def test_what_is_huge_is_refused_and_changes_nothing(
    router: RouterProcess, kind: str
) -> None:
    status, fields, body = BODIES[kind]
    sized = any(name.startswith(("Content-Length", "Transfer-Encoding")) for name in fields)
    fields = fields if sized else (*fields, f"Content-Length: {len(body)}")
    path = router.struck.documents
    query = "?" + "&".join(f"p{n}={n}" for n in range(5000)) if kind == "parameters" else ""
    request = head(router, "POST", path + query, "Content-Type: application/json", *fields) + body
    before, there = router.memory(), (await router.struck.list()).json()
    for _ in range(5):
        crowd = await crowd_before(router, 1)
        crowd.shout(request)
        [(reader, _)] = crowd.lines
        answer = await asyncio.wait_for(reader.readline(), 30)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode("ascii")), answer
        crowd.close()
    assert router.memory() - before < 60 * MIB
    assert (await router.struck.list()).json() == there
