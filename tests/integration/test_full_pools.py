"""Who waits for a connection in vain hears why: the others have them, or there are none."""

import asyncio
import time
from uuid import uuid4

from global_db.cluster import PoolLimits
from global_db.errors import PoolExhausted
from shards.tenants import TenantRead
from tests.integration.databases import Bounds, Fleet
from tests.integration.work import look


async def test_a_full_pool_is_said_to_be_full_quickly(fleet_dbs: Fleet) -> None:
    client_id, enough, inside = await fleet_dbs.tenant(), asyncio.Event(), asyncio.Event()
    bounds = Bounds(pool=PoolLimits(min_size=1, max_size=1, max_waiting=2, wait_seconds=0.3))

    async def slow(_: TenantRead) -> None:
        inside.set()
        await enough.wait()

    async with fleet_dbs.data(bounds) as data:
        await data.placements.get(client_id)
        holder = asyncio.create_task(data.tenants.read(client_id, slow))
        await inside.wait()
        begun = time.monotonic()
        outcomes = await asyncio.gather(
            *(data.tenants.read(client_id, look(uuid4())) for _ in range(6)),
            return_exceptions=True,
        )
        assert {type(outcome) for outcome in outcomes} == {PoolExhausted}
        assert time.monotonic() - begun < 1
        enough.set()
        await holder
        assert await data.tenants.read(client_id, look(uuid4())) is None


async def test_whoever_waits_in_vain_on_a_busy_processor_is_told_of_overload(
    fleet_dbs: Fleet,
) -> None:
    """Not that the shard is away: there connections are on their way from one to another, and all
    who wait give up at the same moment."""
    client_id, outcomes = await fleet_dbs.tenant(), list[BaseException | None]()
    bounds = Bounds(pool=PoolLimits(min_size=0, max_size=2, wait_seconds=0.2))

    async def work(tenant: TenantRead) -> None:
        await look(uuid4())(tenant)
        busy_until = time.monotonic() + 0.02
        while time.monotonic() < busy_until:  # the loop stands still, as on a busy processor
            pass

    async with fleet_dbs.data(bounds) as data:
        await data.tenants.read(client_id, look(uuid4()))
        for _ in range(3):
            outcomes += await asyncio.gather(
                *(data.tenants.read(client_id, work) for _ in range(40)), return_exceptions=True
            )
    assert {type(outcome) for outcome in outcomes} == {type(None), PoolExhausted}
