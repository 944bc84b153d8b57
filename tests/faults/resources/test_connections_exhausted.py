"""No connection is to be had: refused clearly and in bounded time, and healed alone (I9, I10)."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import psycopg
import pytest

from deploy.fleet.model import DATABASE
from deploy.local import ports, processes
from deploy.local.ports import accepts
from global_db import shard_catalog
from global_db.address import NodeAddress, Pooler
from global_db.cluster import Role
from global_db.errors import ClusterUnavailable, PoolExhausted
from services.keys.local_file import create_key_file
from services.settings import PoolSettings
from tests.faults.resources.lab import (
    Lab,
    assert_clear,
    lab_over,
    neighbour,
    settings_of,
)
from tests.integration.databases import Fleet
from tests.integration.pooler import PoolerMissing, end_pooler, pooler_command
from tests.integration.postgres import ADMIN, Site
from tests.integration.test_lost_connections import ONE_CONNECTION, kill_backends
from tests.integration.waiting import until
from tests.integration.wire import Wire
from tests.integration.work import look
from tests.lacking import lacking

Tell = Callable[[str], None]
# A pool waits 2 s for a connection, twice where the first one turned out to be lost.
_BOUND_SECONDS = 8.0
_PLACES = 6


@pytest.fixture
async def lab(own_fleet: Fleet, tmp_path: Path) -> AsyncIterator[Lab]:
    create_key_file(tmp_path / "key")
    pool = PoolSettings(min_size=0, max_size=4)
    async with lab_over(own_fleet, settings_of(own_fleet, tmp_path / "key", pool=pool)) as made:
        yield made


async def taken(stack: AsyncExitStack, conninfo: str) -> None:
    """Others take every connection that is left there."""
    while True:
        try:
            session = await psycopg.AsyncConnection.connect(conninfo)
        except psycopg.OperationalError as error:
            assert "connection" in str(error)  # too many of them, in either's words
            return
        await stack.enter_async_context(session)


async def refusal(lab: Lab) -> httpx.Response:
    begun = time.monotonic()
    answer = await lab.struck.create()
    assert time.monotonic() - begun < _BOUND_SECONDS
    return answer


async def test_others_have_every_connection(lab: Lab, tell: Tell) -> None:
    shard = lab.fleet.shards["shard-1"]
    await lab.struck.made()
    async with neighbour(lab.spared) as others:
        struck_at = time.monotonic()
        async with AsyncExitStack() as stack:
            await taken(stack, shard.conninfo(ADMIN))
            await kill_backends(shard)
            await taken(stack, shard.conninfo(ADMIN))
            refused = [await refusal(lab) for _ in range(2)]
            # At once, together: nobody waits behind others who wait in vain.
            refused += await asyncio.gather(*(refusal(lab) for _ in range(50)))
            for answer in refused:
                assert_clear(answer, "shard_unavailable", "overloaded", "outcome_unknown")
        healed_at = time.monotonic()
        took = await lab.until_whole()
    tell(f"{others.told('no connections', struck_at, healed_at)}; writes back after {took:.2f} s")
    assert lab.shards() == {"shard-1": "ready", "shard-2": "ready"}
    assert await lab.unasked() == 0


@dataclass
class SmallPooler:
    """PgBouncer before shard-1 with few places for clients; `conninfo` is a way in."""

    command: processes.Command
    conninfo: str
    process: psutil.Process

    def restart(self) -> None:
        """End it, and start it anew."""
        end_pooler(self.process)
        self.process = processes.spawn(self.command, {})


def narrow(configuration: Path, database: str) -> None:
    """Few places, before the test's own database."""
    text = configuration.read_text().replace(f"dbname={DATABASE}", f"dbname={database}")
    configuration.write_text(text + f"max_client_conn = {_PLACES}\n")


@pytest.fixture
async def small_pooler(own_fleet: Fleet, postgres_site: Site) -> AsyncIterator[SmallPooler]:
    shard, port = own_fleet.shards["shard-1"], ports.free()
    try:
        command = pooler_command(postgres_site, [shard.server.port], port)
    except PoolerMissing as missing:
        lacking(str(missing))
    narrow(Path(command.arguments[1]), shard.name)
    pooler = Pooler(host="127.0.0.1", port=port, database=DATABASE)
    address = NodeAddress(**shard.address.model_dump() | {"pooler": pooler})
    async with own_fleet.global_db.cluster(ADMIN) as cluster, cluster.write() as connection:
        await shard_catalog.register(connection, "shard-1", [address], weight=1)
    made = SmallPooler(command, shard.login().pooled(address), processes.spawn(command, {}))
    try:
        await until_listening(port)
        yield made
    finally:
        end_pooler(made.process)


async def until_listening(port: int) -> None:
    async def listening() -> bool:
        return accepts(port)

    await until(listening)


async def test_others_have_every_place_at_the_pooler(
    small_pooler: SmallPooler, lab: Lab, tell: Tell
) -> None:
    async with neighbour(lab.spared) as others:
        struck_at = time.monotonic()
        async with AsyncExitStack() as stack:
            await taken(stack, small_pooler.conninfo)
            answers = await asyncio.gather(*(refusal(lab) for _ in range(40)))
        # Whoever has a place may be served one after the other; the others hear it in time.
        for answer in answers:
            if not answer.is_success:
                assert_clear(answer, "shard_unavailable", "overloaded")
        healed_at = time.monotonic()
        took = await lab.until_whole()
        small_pooler.restart()
        await lab.until_whole()
    tell(f"{others.told('pooler full', struck_at, healed_at)}; writes back after {took:.2f} s")
    assert lab.shards() == {"shard-1": "ready", "shard-2": "ready"}
    assert await lab.unasked() <= 1  # the restart may have met a COMMIT


async def test_a_server_that_cannot_be_reached_is_away_and_not_overloaded(
    own_fleet: Fleet,
) -> None:
    """Before the poller has noticed; `overloaded` would ask callers to come back in a second."""
    client_id = await own_fleet.tenant("shard-1")
    async with Wire(own_fleet.shards["shard-1"].address).up() as wire:
        async with own_fleet.global_db.cluster(ADMIN) as cluster, cluster.write() as connection:
            await shard_catalog.register(connection, "shard-1", [wire.address], weight=1)
        async with own_fleet.data(ONE_CONNECTION) as data:
            await data.tenants.read(client_id, look(uuid4()))
            [node] = data.registry.cluster("shard-1").nodes
            await node.renew()
            wire.cut()
            assert node.role is Role.PRIMARY
            with pytest.raises(ClusterUnavailable) as refused:
                await data.tenants.read(client_id, look(uuid4()))
            assert not isinstance(refused.value, PoolExhausted)
