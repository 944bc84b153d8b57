"""A shard that is reached through a wire by a pool of one connection, and statements to send."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from global_db.cluster import Cluster, PoolLimits
from global_db.servers import Servers
from global_db.statement import read, write
from tests.integration.databases import Fleet
from tests.integration.postgres import MOVER
from tests.integration.wire import Wire

LOCK = 815
_KEY = sa.bindparam("key", type_=sa.BigInteger)
_NUMBER = sa.bindparam("number", type_=sa.Integer)
TAKE = write(sa.select(sa.func.pg_advisory_xact_lock(_KEY)))
SAY = write(sa.select((_NUMBER + 1).label("said"), sa.literal("50 %").label("text")))
FAIL = write(sa.select((1 / _NUMBER).label("never")))
PID = read(sa.select(sa.func.pg_backend_pid().label("pid")))
ONE, TWO = PoolLimits(min_size=1, max_size=1), PoolLimits(min_size=2, max_size=2)


@dataclass(frozen=True)
class Line:
    """A shard reached through a wire by a pool of one connection, and the shard itself."""

    wire: Wire
    cluster: Cluster
    fleet: Fleet

    async def pid(self) -> int:
        return await pid_of(self.cluster)


async def pid_of(servers: Servers) -> int:
    """Which session answers."""
    async with servers.read() as connection:
        row = await connection.one(PID)
    assert row is not None
    return int(row["pid"])


@pytest.fixture(name="line")
async def make_line(fleet_dbs: Fleet) -> AsyncIterator[Line]:
    async with Wire(fleet_dbs.shards["shard-1"].address).up() as wire:
        login = fleet_dbs.global_db.login(MOVER)
        async with Cluster("shard-1", [wire.address], login, ONE) as cluster:
            yield Line(wire, cluster, fleet_dbs)
