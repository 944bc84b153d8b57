"""A server that is away is asked less and less often, and at once when somebody misses it."""

import pytest

from global_db import poller
from global_db.address import PoolLimits
from global_db.cluster import Cluster
from global_db.errors import ClusterUnavailable
from global_db.poller import pause_while_away
from tests.integration.databases import ShardDatabase
from tests.integration.postgres import APP
from tests.integration.waiting import until
from tests.integration.wire import Wire

NEVER = 3600.0


@pytest.mark.parametrize(
    ("away", "pause"), [(0.0, 0.25), (2.0, 0.25), (5.0, 0.5), (20.0, 2.0), (86_400.0, 2.0)]
)
def test_an_outage_is_prolonged_by_a_tenth_at_most(away: float, pause: float) -> None:
    assert pause_while_away(away) == pytest.approx(pause)


async def test_who_misses_a_server_has_it_asked_at_once(
    shard_db: ShardDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_ALARMED_SECONDS", "_AWAY_SECONDS"):
        monkeypatch.setattr(poller, name, NEVER)
    async with (
        Wire(shard_db.address).up() as wire,
        Cluster("shard-1", [wire.address], shard_db.login(APP), PoolLimits()) as cluster,
    ):

        async def away() -> bool:
            return not cluster.available

        async def back() -> bool:
            return cluster.available

        wire.cut()
        await until(away)
        wire.mend()
        with pytest.raises(ClusterUnavailable):
            cluster.primary()
        await until(back)
