"""Everybody comes back at once: connections to servers stay bounded, and it passes (I9, I10)."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from global_db.connection import RawConnection
from services.s3_settings import S3Settings
from tests.faults.resources.crowds import TLS
from tests.faults.resources.router_process import RouterProcess, router_process
from tests.integration.databases import Fleet
from tests.integration.postgres import APP
from tests.integration.waiting import until

CALLERS = [100, pytest.param(500, marks=pytest.mark.torture)]
_POOL = 6


@pytest.fixture(scope="module")
async def router(
    fleet_dbs: Fleet, tmp_path_factory: pytest.TempPathFactory, s3_settings: S3Settings
) -> AsyncIterator[RouterProcess]:
    more = {"DOCSHARD_POOL_MAX_SIZE": str(_POOL)}
    folder = tmp_path_factory.mktemp("router")
    async with router_process(fleet_dbs, folder, s3_settings, more) as made:
        yield made


async def held(session: RawConnection) -> int:
    """Connections that the service has on the struck shard."""
    cursor = await session.execute(
        "SELECT count(*) AS held FROM pg_stat_activity"
        " WHERE usename = %s AND datname = current_database()",
        [APP],
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row["held"])


async def storm(router: RouterProcess, callers: int) -> list[float]:
    """Each comes on a line of its own and asks until it is served; gives how long that took."""

    async def caller() -> float:
        begun = time.monotonic()
        headers = {"Authorization": router.struck.http.headers["Authorization"]}
        async with httpx.AsyncClient(
            headers=headers, timeout=30, trust_env=False, verify=TLS
        ) as http:
            while True:
                try:
                    answer = await http.get(router.api + router.struck.documents)
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
                    continue
                if answer.is_success:
                    return time.monotonic() - begun
                assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
                await asyncio.sleep(0.2)

    return sorted(await asyncio.gather(*(caller() for _ in range(callers))))


async def p99(router: RouterProcess) -> float:
    """Seconds of a hundred reads, one after the other."""
    took = []
    for _ in range(100):
        begun = time.monotonic()
        assert (await router.struck.list()).is_success
        took.append(time.monotonic() - begun)
    return sorted(took)[98]


@pytest.mark.parametrize("callers", CALLERS)
async def test_callers_that_all_come_back_at_once(
    router: RouterProcess, fleet_dbs: Fleet, tell: Callable[[str], None], callers: int
) -> None:
    await router.struck.made()
    before, most = await p99(router), 0
    router.end()
    async with fleet_dbs.shards["shard-1"].session() as session:
        coming = asyncio.create_task(storm(router, callers))
        router.start()
        while not coming.done():
            most = max(most, await held(session))
            await asyncio.wait({coming}, timeout=0.1)
    served = await coming
    # One more connection asks the server who it is.
    assert most <= _POOL + 1
    after = await p99(router)
    tell(
        f"{callers} callers after a restart: the last was served after {served[-1]:.1f} s, at most"
        f" {most} server connections; p99 {after * 1000:.0f} ms against {before * 1000:.0f} ms"
        f" before, ratio {after / before:.2f}"
    )


async def test_servers_that_end_every_connection_are_found_again(
    router: RouterProcess, fleet_dbs: Fleet
) -> None:
    """As when a pooler or a server is restarted under callers at work."""
    stop, refused = asyncio.Event(), []

    async def works() -> None:
        while not stop.is_set():
            answer = await router.struck.list()
            if not answer.is_success:
                refused.append(answer.json()["code"])
                await asyncio.sleep(0.1)

    working = [asyncio.create_task(works()) for _ in range(20)]
    async with fleet_dbs.shards["shard-1"].session() as session:
        for _ in range(3):
            await session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = %s AND datname = current_database()",
                [APP],
            )
            assert await held(session) <= _POOL + 1
    stop.set()
    await asyncio.gather(*working)
    assert set(refused) <= {"shard_unavailable", "overloaded"}

    async def whole() -> bool:
        return (await router.struck.create()).status_code == httpx.codes.CREATED

    await until(whole, 15)
