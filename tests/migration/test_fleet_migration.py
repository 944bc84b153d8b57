"""`docshard migrate up` over a fleet: the global database first, every shard, whoever is away."""

import asyncio

import pytest

from global_db import shard_catalog
from global_db.migration import GLOBAL_HISTORY
from services.fleet import migrate
from services.resources import Data
from shards.history import HISTORY
from shards.registry import ShardBehind
from tests.integration.databases import Fleet
from tests.integration.postgres import ADMIN
from tests.integration.wire import Wire

pytestmark = pytest.mark.versions


async def register(data: Data, fleet: Fleet, wire: Wire) -> None:
    """The second shard is reached through the wire."""
    addresses = {"shard-1": fleet.shards["shard-1"].address, "shard-2": wire.address}
    async with data.global_db.write() as connection:
        for name, address in addresses.items():
            await shard_catalog.register(connection, name, [address], weight=1)


async def recorded(data: Data) -> dict[str, str | None]:
    async with data.global_db.read() as connection:
        shards = await shard_catalog.registered(connection)
    return {shard.name: shard.schema_revision for shard in shards}


async def test_a_shard_that_is_away_is_named_and_stops_no_other(bare_fleet: Fleet) -> None:
    async with (
        Wire(bare_fleet.shards["shard-2"].address).up() as wire,
        bare_fleet.opened(ADMIN) as data,
    ):
        (found,) = await migrate.status(data)
        assert (found.name, found.revision) == ("global", None)
        assert list(found.pending) == GLOBAL_HISTORY.revisions()

        first = await migrate.up_global(data)
        assert (first.before, first.after, first.error) == (None, GLOBAL_HISTORY.head, None)
        await register(data, bare_fleet, wire)
        wire.cut()
        outcomes = {outcome.name: outcome for outcome in await migrate.up(data)}
        assert outcomes["global"] == migrate.Migrated("global", first.after, first.after)
        assert outcomes["shard-1"] == migrate.Migrated("shard-1", None, HISTORY.head)
        assert (outcomes["shard-2"].after, bool(outcomes["shard-2"].error)) == (None, True)
        assert await recorded(data) == {"shard-1": HISTORY.head, "shard-2": None}
        states = {state.name: state for state in await migrate.status(data)}
        assert states["shard-2"].error
        assert (states["shard-1"].revision, states["shard-1"].pending) == (HISTORY.head, ())
        await data.registry.refresh()
        with pytest.raises(ShardBehind):
            data.registry.cluster("shard-2")

        wire.mend()
        await data.registry.any_cluster("shard-2").look()
        outcomes = {outcome.name: outcome for outcome in await migrate.up(data)}
        assert outcomes["shard-2"] == migrate.Migrated("shard-2", None, HISTORY.head)
        assert outcomes["shard-1"].before == outcomes["shard-1"].after == HISTORY.head
        assert await recorded(data) == {"shard-1": HISTORY.head, "shard-2": HISTORY.head}


async def test_two_operators_at_once(bare_fleet: Fleet) -> None:
    async with (
        Wire(bare_fleet.shards["shard-2"].address).up() as wire,
        bare_fleet.opened(ADMIN) as data,
        bare_fleet.opened(ADMIN) as other,
    ):
        firsts = await asyncio.gather(migrate.up_global(data), migrate.up_global(other))
        assert {first.error for first in firsts} == {None}
        await register(data, bare_fleet, wire)
        runs = await asyncio.gather(migrate.up(data), migrate.up(other))
        assert {outcome.error for run in runs for outcome in run} == {None}
        assert await recorded(data) == {"shard-1": HISTORY.head, "shard-2": HISTORY.head}


async def test_without_the_global_database_nothing_is_begun(bare_fleet: Fleet) -> None:
    async with Wire(bare_fleet.global_db.address).up() as wire:
        wire.cut()
        async with bare_fleet.opened(ADMIN, directory=wire.address) as data:
            (outcome,) = await migrate.up(data)
            assert outcome.name == "global"
            assert outcome.error
            (state,) = await migrate.status(data)
            assert state.error
