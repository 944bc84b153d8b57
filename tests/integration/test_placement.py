"""Placements in memory and the set of shards: bounded, shared, kept fresh, useful in an outage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
import uuid_utils.compat as uuid_utils

from global_db import shard_catalog
from global_db.errors import ClusterUnavailable
from global_db.listener import listen
from services.resources import Data
from shards.placement import CacheLimits, UnknownClient
from shards.registry import REVISIONS, NoShards, ShardBehind, UnknownShard
from tests.integration.databases import Bounds, Fleet
from tests.integration.postgres import ADMIN
from tests.integration.waiting import until
from tests.integration.wire import Wire
from tests.integration.work import insert, look


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Directory:
    """A fleet whose global database is reached through a wire, and what a process has of it."""

    fleet: Fleet
    wire: Wire
    data: Data
    clock: Clock = field(default_factory=Clock)

    def asked(self) -> int:
        """How often the directory was asked where a client lives."""
        return self.wire.count(b"clients.epoch")

    async def until_available(self) -> None:
        async def available() -> bool:
            return self.data.global_db.available

        await until(available)


@pytest.fixture
async def own_data(own_fleet: Fleet) -> AsyncIterator[Data]:
    async with own_fleet.data() as data:
        yield data


LIMITS = CacheLimits(entries=3, lease_seconds=2, stale_seconds=60)


@asynccontextmanager
async def opened(fleet: Fleet) -> AsyncIterator[Directory]:
    clock = Clock()
    async with Wire(fleet.global_db.address).up() as wire:
        bounds = Bounds(cache=LIMITS)
        async with fleet.data(bounds, directory=wire.address, clock=clock) as data:
            yield Directory(fleet, wire, data, clock)


@pytest.fixture
async def directory(fleet_dbs: Fleet) -> AsyncIterator[Directory]:
    async with opened(fleet_dbs) as made:
        yield made


async def test_a_placement_is_asked_for_once_in_its_lease(directory: Directory) -> None:
    client_id = await directory.fleet.tenant("shard-2")
    for _ in range(5):
        placement = await directory.data.placements.get(client_id)
        assert (placement.shard, placement.epoch, placement.status) == ("shard-2", 1, "active")
    assert directory.asked() == 1
    directory.clock.now += 2
    await directory.data.placements.get(client_id)
    assert directory.asked() == 2


async def test_callers_that_ask_together_share_one_question(directory: Directory) -> None:
    client_id = await directory.fleet.tenant()
    found = await asyncio.gather(*(directory.data.placements.get(client_id) for _ in range(50)))
    assert {placement.shard for placement in found} == {"shard-1"}
    assert directory.asked() == 1


async def test_one_caller_that_goes_away_takes_no_answer_with_it(directory: Directory) -> None:
    client_id = await directory.fleet.tenant()
    directory.wire.hold()
    asking = [asyncio.create_task(directory.data.placements.get(client_id)) for _ in range(2)]
    await asyncio.wait(asking, timeout=0.05)
    asking[0].cancel()
    directory.wire.release()
    assert (await asking[1]).shard == "shard-1"


async def test_the_cache_is_bounded_and_forgets_what_was_used_longest_ago(
    directory: Directory,
) -> None:
    clients = [await directory.fleet.tenant() for _ in range(4)]
    placements = directory.data.placements
    for client_id in (*clients[:3], clients[0], clients[3]):
        await placements.get(client_id)
    assert len(placements) == LIMITS.entries
    before = directory.asked()
    await placements.get(clients[0])
    assert directory.asked() == before
    await placements.get(clients[1])
    assert directory.asked() == before + 1


async def test_absent_clients_fill_no_memory(directory: Directory) -> None:
    for _ in range(20):
        with pytest.raises(UnknownClient):
            await directory.data.placements.get(uuid4())
    assert len(directory.data.placements) == 0


async def test_without_the_directory_a_known_placement_serves_for_a_while(
    directory: Directory,
) -> None:
    client_id, document_id = await directory.fleet.tenant(), uuid_utils.uuid7()
    await directory.data.tenants.write(client_id, insert(document_id))
    directory.wire.cut()
    directory.clock.now += LIMITS.stale_seconds - 1
    assert await directory.data.tenants.read(client_id, look(document_id)) is not None
    await directory.data.tenants.write(client_id, insert(uuid_utils.uuid7()))
    with pytest.raises(ClusterUnavailable, match="global"):
        await directory.data.tenants.read(await directory.fleet.tenant(), look(document_id))
    directory.clock.now += 1
    with pytest.raises(ClusterUnavailable, match="global"):
        await directory.data.tenants.read(client_id, look(document_id))
    directory.wire.mend()
    await directory.until_available()
    assert await directory.data.tenants.read(client_id, look(document_id)) is not None


async def test_a_change_is_announced_and_forgotten(directory: Directory) -> None:
    placements, fleet = directory.data.placements, directory.fleet
    moved, other = await fleet.tenant(), await fleet.tenant()
    listening = asyncio.Event()
    task = asyncio.create_task(
        listen(
            directory.data.global_db,
            {"placement": lambda payload: placements.forget(UUID(payload))},
            on_gap=listening.set,
        )
    )
    await listening.wait()
    for client_id in (moved, other):
        await placements.get(client_id)
    await fleet.place(moved, "shard-2", 2)

    async def forgotten() -> bool:
        return len(placements) == 1

    await until(forgotten)
    assert (await placements.get(moved)).epoch == 2

    # A lost connection is a gap: what was announced meanwhile was not heard.
    listening.clear()
    directory.wire.cut()
    directory.wire.mend()
    await listening.wait()
    task.cancel()


async def test_after_a_gap_every_lease_has_ended_and_every_placement_stays(
    directory: Directory,
) -> None:
    client_id = await directory.fleet.tenant()
    placements = directory.data.placements
    await placements.get(client_id)
    placements.forget_all()
    await placements.get(client_id)
    assert directory.asked() == 2
    placements.forget_all()
    directory.wire.cut()
    assert (await placements.get(client_id)).shard == "shard-1"


async def set_revision(fleet: Fleet, name: str, revision: str | None) -> None:
    async with fleet.global_db.cluster(ADMIN) as cluster, cluster.write() as connection:
        await shard_catalog.set_revision(connection, name, revision)


async def test_a_shard_with_an_older_schema_serves_nobody(own_fleet: Fleet, own_data: Data) -> None:
    client_id, neighbour = await own_fleet.tenant("shard-1"), await own_fleet.tenant("shard-2")
    await set_revision(own_fleet, "shard-1", None)
    await own_data.registry.refresh()
    with pytest.raises(ShardBehind, match="shard-1"):
        await own_data.tenants.read(client_id, look(uuid4()))
    assert own_data.registry.any_cluster("shard-1").available
    assert await own_data.tenants.read(neighbour, look(uuid4())) is None

    await set_revision(own_fleet, "shard-1", REVISIONS.head)
    await own_data.registry.refresh()
    assert await own_data.tenants.read(client_id, look(uuid4())) is None


async def test_a_newer_schema_than_the_codes_is_no_reason_to_refuse(
    own_fleet: Fleet, own_data: Data
) -> None:
    client_id = await own_fleet.tenant("shard-1")
    await set_revision(own_fleet, "shard-1", "9999")
    await own_data.registry.refresh()
    assert await own_data.tenants.read(client_id, look(uuid4())) is None


async def test_the_set_of_shards_follows_the_catalog(own_fleet: Fleet, own_data: Data) -> None:
    registry = own_data.registry
    assert [shard.name for shard in registry.shards()] == ["shard-1", "shard-2"]
    async with own_fleet.global_db.session() as session:
        await session.execute(
            "UPDATE docshard.shards SET status = 'draining' WHERE name = 'shard-1'"
        )
        await registry.refresh()
        assert {registry.ring().home(uuid4()) for _ in range(20)} == {"shard-2"}
        assert registry.cluster("shard-1").available

        await session.execute("UPDATE docshard.shards SET status = 'removed'")
        await registry.refresh()
        with pytest.raises(NoShards):
            registry.ring()
        with pytest.raises(UnknownShard):
            registry.cluster("shard-1")


async def test_a_shard_that_moves_house_is_found_there(own_fleet: Fleet, own_data: Data) -> None:
    client_id = await own_fleet.tenant("shard-1")
    old = own_data.registry.cluster("shard-1")
    async with Wire(own_fleet.shards["shard-1"].address).up() as wire:
        async with own_fleet.global_db.cluster(ADMIN) as cluster, cluster.write() as connection:
            await shard_catalog.register(connection, "shard-1", [wire.address], weight=1)
        await own_data.registry.refresh()
        assert own_data.registry.cluster("shard-1") is not old
        before = len(wire.requests)
        assert await own_data.tenants.read(client_id, look(uuid4())) is None
        assert len(wire.requests) > before
