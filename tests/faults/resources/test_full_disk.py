"""A shard without room: writes are refused clearly, reads go on, others notice nothing."""

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from services.keys.local_file import create_key_file
from tests.faults.resources.lab import (
    DEADLINE_SECONDS,
    Lab,
    assert_clear,
    lab_over,
    neighbour,
    settings_of,
)
from tests.faults.resources.volume import MIB, SmallServer, small_server, volume
from tests.integration.databases import registered_fleet
from tests.integration.postgres import Postgres, Site
from tests.integration.waiting import until

SIZE = 160 * MIB
Tell = Callable[[str], None]


@pytest.fixture(params=["data", "log"])
def small(request: pytest.FixtureRequest, postgres_site: Site) -> Iterator[SmallServer]:
    """A server whose data, or whose write-ahead log, have a small volume to themselves."""
    with (
        volume(postgres_site, f"small-{request.param}", SIZE) as made,
        small_server(postgres_site, made, only_log=request.param == "log") as server,
    ):
        yield server


@pytest.fixture
async def lab(
    small: SmallServer, postgres: Postgres, shard_servers: tuple[Postgres, Postgres], tmp_path: Path
) -> AsyncIterator[Lab]:
    create_key_file(tmp_path / "key")
    async with (
        registered_fleet(postgres, (small.server, shard_servers[1])) as fleet,
        lab_over(fleet, settings_of(fleet, tmp_path / "key")) as made,
    ):
        yield made


async def refused_in_the_end(lab: Lab) -> httpx.Response:
    """The first refusal, once the last free pages are used up."""
    for _ in range(1000):
        begun = time.monotonic()
        answer = await lab.struck.create({"padding": os.urandom(20_000).hex()})
        assert time.monotonic() - begun < DEADLINE_SECONDS
        if not answer.is_success:
            return answer
    raise AssertionError("a full volume took a thousand documents")


@pytest.mark.parametrize("small", ["data"], indirect=True)
async def test_a_full_disk_refuses_what_needs_room_and_nothing_else(
    lab: Lab, small: SmallServer, tell: Tell
) -> None:
    kept = await lab.struck.made()
    async with neighbour(lab.spared) as others:
        small.volume.fill()
        struck_at = time.monotonic()
        refused = await refused_in_the_end(lab)
        for answer in (refused, await lab.struck.create({"padding": os.urandom(20_000).hex()})):
            assert_clear(answer, "database_full")
        # The server is not given up for that: it goes on to answer what needs no room.
        assert lab.shards() == {"shard-1": "ready", "shard-2": "ready"}
        assert (await lab.struck.list()).status_code == httpx.codes.OK
        read = await lab.struck.http.get(f"{lab.struck.documents}/{kept['id']}")
        assert read.json() == kept
        small.volume.free()
        healed_at = time.monotonic()
        took = await lab.until_whole()
    tell(f"{others.told('disk full', struck_at, healed_at)}; writes back after {took:.2f} s")
    assert await lab.unasked() == 0


@pytest.mark.parametrize("small", ["log"], indirect=True)
async def test_a_full_log_volume_ends_the_server_and_the_router_outlives_that(
    lab: Lab, small: SmallServer, tell: Tell
) -> None:
    """PostgreSQL cannot go on without its log: it ends, and comes back when there is room."""
    async with neighbour(lab.spared) as others:
        small.volume.fill()
        struck_at = time.monotonic()
        refused = await refused_in_the_end(lab)
        assert_clear(refused, "outcome_unknown", "shard_unavailable")

        async def gone() -> bool:
            return not small.alive

        await until(gone, 20)
        begun = time.monotonic()
        assert_clear(await lab.struck.create(), "shard_unavailable")
        assert_clear(await lab.struck.list(), "shard_unavailable")
        assert time.monotonic() - begun < DEADLINE_SECONDS
        small.volume.free()
        small.start()
        healed_at = time.monotonic()
        took = await lab.until_whole()
    tell(f"{others.told('log volume full', struck_at, healed_at)}; writes back after {took:.2f} s")
    # The one whose COMMIT met the end may be there or not: that is what `outcome_unknown` says.
    assert await lab.unasked() <= 1
