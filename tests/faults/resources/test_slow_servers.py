"""Networks and disks that are slow or stand still: deadlines hold, others notice nothing (I9)."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from global_db import shard_catalog
from services.keys.local_file import create_key_file
from tests.faults.resources.lab import (
    DEADLINE_SECONDS,
    Lab,
    assert_clear,
    lab_over,
    neighbour,
    settings_of,
)
from tests.integration.databases import Fleet
from tests.integration.postgres import ADMIN, APP
from tests.integration.wire import Wire

Tell = Callable[[str], None]


@pytest.fixture
async def wire(own_fleet: Fleet) -> AsyncIterator[Wire]:
    """The network before shard-1."""
    async with Wire(own_fleet.shards["shard-1"].address).up() as made:
        async with own_fleet.global_db.cluster(ADMIN) as cluster, cluster.write() as connection:
            await shard_catalog.register(connection, "shard-1", [made.address], weight=1)
        yield made


@pytest.fixture
async def lab(own_fleet: Fleet, wire: Wire, tmp_path: Path) -> AsyncIterator[Lab]:
    create_key_file(tmp_path / "key")
    async with lab_over(own_fleet, settings_of(own_fleet, tmp_path / "key")) as made:
        yield made


async def in_time(lab: Lab, calls: int) -> list[int]:
    """Write and read at once, so many times; every answer is good or clear, and none is late."""
    begun = time.monotonic()
    sent = [send() for _ in range(calls) for send in (lab.struck.create, lab.struck.list)]
    answers = await asyncio.gather(*sent)
    assert time.monotonic() - begun < DEADLINE_SECONDS
    for answer in answers:
        if not answer.is_success:
            assert_clear(answer, "shard_unavailable", "outcome_unknown", "overloaded")
    return [answer.status_code for answer in answers]


@pytest.mark.parametrize("delay_seconds", [0.3, pytest.param(3.0, marks=pytest.mark.torture)])
async def test_a_slow_network(lab: Lab, wire: Wire, tell: Tell, delay_seconds: float) -> None:
    await lab.struck.made()
    async with neighbour(lab.spared) as others:
        wire.slow(delay_seconds)
        struck_at = time.monotonic()
        served = [status for status in await in_time(lab, 10) if status < 300]
        # What takes some round trips of 0.6 s is served, one after the other on ten connections.
        assert served or delay_seconds > 1
        wire.release()
        healed_at = time.monotonic()
        took = await lab.until_whole()
    name = f"network slower by {delay_seconds} s"
    tell(f"{others.told(name, struck_at, healed_at)}; writes back after {took:.2f} s")
    await lab.unasked()


@contextmanager
def standing_still(pids: list[int]) -> Iterator[None]:
    """Processes of a server hang, as in a read or write that its disk does not end."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def test_a_disk_that_ends_nothing_that_was_begun(lab: Lab, tell: Tell) -> None:
    """Stands for a slow disk where no device can be slowed down: tmpfs and containers have none.

    Backends that have our connections are stopped, as they would be in a write; the server itself
    goes on and takes new connections.
    """
    await asyncio.gather(*(lab.struck.create() for _ in range(10)))
    async with lab.fleet.shards["shard-1"].session() as session:
        cursor = await session.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename = %s AND datname = current_database()",
            [APP],
        )
        pids = [row["pid"] for row in await cursor.fetchall()]
    async with neighbour(lab.spared) as others:
        struck_at = time.monotonic()
        with standing_still(pids):
            await in_time(lab, 5)
            # A connection that hung is given up: others are made, before the disk is well again.
            took = await lab.until_whole(30)
        healed_at = time.monotonic()
        await lab.until_whole()
    tell(f"{others.told('disk stands still', struck_at, healed_at)}; writes back in {took:.2f} s")
    await lab.unasked()
