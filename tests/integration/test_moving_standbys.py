"""Before the commit point every standby has the fence and the opening on disk."""

import asyncio
from pathlib import Path

import pytest

from global_db.cluster import Cluster
from shards.copying import facts, standbys
from shards.copying.batch import Batch
from shards.copying.errors import Unready
from tests.integration.databases import Fleet
from tests.integration.movers import LIMITS
from tests.integration.pair import paired_fleet
from tests.integration.postgres import MOVER, Site
from tests.integration.waiting import until

pytestmark = pytest.mark.versions

FAR = 1 << 20
NEXT = "SELECT (docshard.place()).timeline, pg_current_wal_flush_lsn() - '0/0'"


async def test_a_standby_is_awaited_and_a_dead_one_is_not(
    postgres_site: Site, pair_template: Path, own_fleet: Fleet
) -> None:
    async with paired_fleet(postgres_site, pair_template, own_fleet) as (fleet, pair):
        login = fleet.global_db.login(MOVER)
        async with Cluster("shard-1", pair.addresses, login, LIMITS) as cluster:

            async def streams() -> bool:
                found = await facts.examine(cluster, Batch((), {}))
                return [one.streams for one in found.standbys] == [True]

            await until(streams)
            pair.primary.sql("CREATE TABLE t AS SELECT generate_series(1, 1000)")
            ((on, written),) = pair.primary.sql(NEXT, pair.database.name)
            timeline, lsn = int(str(on)), int(str(written))
            await standbys.await_flushed(cluster, timeline, lsn, 5)
            with pytest.raises(Unready, match="does not follow"):
                await standbys.await_flushed(cluster, timeline + 1, lsn, 5)
            with pytest.raises(Unready, match="bytes behind"):
                await standbys.await_flushed(cluster, timeline, lsn + FAR, 0.05)
            pair.replica.kill()
            with pytest.raises(Unready, match="does not follow"):
                await asyncio.wait_for(standbys.await_flushed(cluster, timeline, lsn + FAR, 60), 20)
