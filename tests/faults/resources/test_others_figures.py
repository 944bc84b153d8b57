"""What a fault of one shard, or a crowd before the router, costs tenants of another shard.

A figure of its own for each fault, beside what the same callers met just before it: `make
bench-faults` prints the table of docs/resource-faults.md. That nobody of the others is refused is
demanded; how fast they are served is told, for it is a matter of the machine.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from deploy.local import processes
from global_db import shard_catalog
from loadtests.results import aligned
from router.open_files import take_open_files
from services.s3_settings import S3Settings
from tests.faults.resources.crowds import TLS, crowd_before
from tests.faults.resources.lab import Neighbour, neighbour
from tests.faults.resources.router_process import RouterProcess, router_process
from tests.faults.resources.test_connections_exhausted import taken
from tests.faults.resources.volume import MIB, SmallServer, small_server, volume
from tests.integration.databases import Fleet, registered_fleet
from tests.integration.postgres import ADMIN, Postgres, Site
from tests.integration.test_lost_connections import kill_backends
from tests.integration.waiting import until
from tests.integration.wire import Wire

pytestmark = pytest.mark.torture

_SECONDS = 10.0
_SLOW_SECONDS = 0.3
_STORM, _CROWD = 100, 1000
_PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class Place:
    """A router's process; shard-1 is small and behind a wire."""

    fleet: Fleet
    small: SmallServer
    wire: Wire
    router: RouterProcess


Fault = Callable[[Place], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def dead(place: Place) -> AsyncIterator[None]:
    await asyncio.to_thread(place.small.end)
    yield
    await asyncio.to_thread(place.small.start)


@asynccontextmanager
async def frozen(place: Place) -> AsyncIterator[None]:
    stopped = place.small.processes()
    processes.send(stopped, signal.SIGSTOP)
    yield
    processes.send(stopped, signal.SIGCONT)


@asynccontextmanager
async def full(place: Place) -> AsyncIterator[None]:
    await asyncio.to_thread(place.small.volume.fill)
    yield
    await asyncio.to_thread(place.small.volume.free)


@asynccontextmanager
async def exhausted(place: Place) -> AsyncIterator[None]:
    shard = place.fleet.shards["shard-1"]
    async with AsyncExitStack() as stack:
        await taken(stack, shard.conninfo(ADMIN))
        await kill_backends(shard)
        await taken(stack, shard.conninfo(ADMIN))
        yield


@asynccontextmanager
async def slow(place: Place) -> AsyncIterator[None]:
    place.wire.slow(_SLOW_SECONDS)
    yield
    place.wire.release()


@asynccontextmanager
async def storm(place: Place) -> AsyncIterator[None]:
    """So many callers of the struck shard, each on a new line every time."""
    stop, struck = asyncio.Event(), place.router.struck

    async def caller() -> None:
        headers = {"Authorization": struck.http.headers["Authorization"]}
        while not stop.is_set():
            async with httpx.AsyncClient(
                headers=headers, timeout=60, trust_env=False, verify=TLS
            ) as http:
                with suppress(httpx.TransportError):
                    await http.get(place.router.api + struck.documents, params={"limit": "1"})

    async with asyncio.TaskGroup() as group:
        for _ in range(_STORM):
            group.create_task(caller())
        yield
        stop.set()


@asynccontextmanager
async def slow_clients(place: Place) -> AsyncIterator[None]:
    """Heads that do not end; whoever is given up comes again."""
    crowd = await crowd_before(place.router, _CROWD)
    crowd.shout(b"GET /v1/me HTTP/1.1\r\nX: ")
    yield
    crowd.close()


FAULTS: dict[str, Fault] = {
    "shard-1 is dead": dead,
    "shard-1 is frozen": frozen,
    "shard-1's disk is full": full,
    "all connections of shard-1 are taken": exhausted,
    f"shard-1's network is slower by {_SLOW_SECONDS} s": slow,
    f"{_STORM} callers of shard-1 reconnect all the time": storm,
    f"{_CROWD} clients send heads slowly": slow_clients,
}


@pytest.fixture
def small(postgres_site: Site) -> Iterator[SmallServer]:
    with (
        volume(postgres_site, "figures", 200 * MIB) as made,
        small_server(postgres_site, made, only_log=False) as server,
    ):
        yield server


@pytest.fixture
async def place(
    small: SmallServer,
    postgres: Postgres,
    shard_servers: tuple[Postgres, Postgres],
    tmp_path: Path,
    s3_settings: S3Settings,
) -> AsyncIterator[Place]:
    take_open_files()
    async with (
        registered_fleet(postgres, (small.server, shard_servers[1])) as fleet,
        Wire(fleet.shards["shard-1"].address).up() as wire,
    ):
        async with fleet.global_db.cluster(ADMIN) as cluster, cluster.write() as connection:
            await shard_catalog.register(connection, "shard-1", [wire.address], weight=1)
        async with router_process(fleet, tmp_path, s3_settings, {}) as router:
            yield Place(fleet, small, wire, router)


@asynccontextmanager
async def struck_at_work(place: Place) -> AsyncIterator[None]:
    """The struck shard's tenant writes all the while, however it is answered."""
    stop = asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            with suppress(httpx.TransportError):
                await place.router.struck.create({"padding": os.urandom(20_000).hex()})
            await asyncio.sleep(_PAUSE_SECONDS)

    async with asyncio.TaskGroup() as group:
        group.create_task(work())
        yield
        stop.set()


async def suffered(place: Place, fault: Fault) -> tuple[str, ...]:
    """Milliseconds of the others before and during a fault, p50 and p99; and how many answers."""
    async with neighbour(place.router.spared, _PAUSE_SECONDS) as others, struck_at_work(place):
        begun = time.monotonic()
        await asyncio.sleep(_SECONDS)
        async with fault(place):
            struck_at = time.monotonic()
            await asyncio.sleep(_SECONDS)
            healed_at = time.monotonic()
        await until(lambda: _writes(place), 60)
    return _row(others, (begun, struck_at), (struck_at, healed_at))


async def _writes(place: Place) -> bool:
    return (await place.router.struck.create()).is_success


def _row(others: Neighbour, *spans: tuple[float, float]) -> tuple[str, ...]:
    figures = [others.quantile(part, *span) * 1000 for span in spans for part in (0.5, 0.99)]
    (p50, p99), (during50, during99) = figures[:2], figures[2:]
    ratios = (f"{during50 / p50:.2f}", f"{during99 / p99:.2f}")
    return (*(f"{one:.0f}" for one in figures), *ratios, str(len(others.answers)))


async def test_what_a_fault_costs_others(place: Place, tell: Callable[[str], None]) -> None:
    rows: list[tuple[str, ...]] = [
        ("ms", "p50", "p99", "during p50", "during p99", "p50 ratio", "p99 ratio", "answers")
    ]
    for name, fault in FAULTS.items():
        rows.append((name, *await suffered(place, fault)))
    for line in aligned(rows).splitlines():
        tell(line)
