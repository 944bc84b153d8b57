"""Moves between two shards that each have a synchronous standby, while servers are lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import uuid_utils.compat as uuid_utils

from global_db import shard_catalog
from global_db.errors import ClusterError
from services.fleet.moving.run import Run, Told
from services.fleet.moving.runner import Rhythm, untold
from services.fleet.placement_examination import examine
from services.move_settings import MoveSettings
from shards.copying.batch import Stream
from shards.history import HISTORY
from shards.tenants import TenantMisplaced, TenantMoving
from tests.faults.standbys import Standbys, standbys
from tests.integration.databases import Fleet
from tests.integration.hooks import Hook
from tests.integration.move_desk import Desk, Ledger, desk, order_rebalance, unsettled
from tests.integration.postgres import ADMIN, Postgres, Site
from tests.integration.waiting import until
from tests.integration.work import insert, look

PATIENT = MoveSettings(grace_seconds=0.2, pause_seconds=10)
"""A switch is not given up merely because a server took over meanwhile."""
# Of a busy machine.
SETTLED_SECONDS = 90.0
_PATIENCE_SECONDS = 30.0
_AGAIN_SECONDS = 0.02
# Others share the processor.
_PAUSE_SECONDS = 0.02
_STEADY = Rhythm(look=0.05)

_RESIDENT = "SELECT state, epoch FROM docshard.residency WHERE client_id = %s"
_WRITTEN = "SELECT pg_current_wal_insert_lsn() AS lsn"
_CONFIRMED = """
    SELECT confirmed_flush_lsn >= %s::pg_lsn AS confirmed FROM pg_replication_slots
     WHERE slot_name = %s
"""


class PatientLedger(Ledger):
    """Its writers send a write again until it is acknowledged, as callers with a key do."""

    async def _write(self, tenant: UUID) -> None:
        document, begun = uuid_utils.uuid7(), time.monotonic()
        while not await self._acknowledged(tenant, document):
            assert time.monotonic() - begun < _PATIENCE_SECONDS, "not served again"
            await asyncio.sleep(_AGAIN_SECONDS)
        self.written[tenant].append(document)
        await asyncio.sleep(_PAUSE_SECONDS)

    async def _acknowledged(self, tenant: UUID, document: UUID) -> bool:
        try:
            await self.data.tenants.write(tenant, insert(document))
        except psycopg.errors.UniqueViolation:
            # An earlier try, whose answer was lost, did it.
            pass
        except (ClusterError, TenantMoving, TenantMisplaced):
            return False
        try:
            assert await self.data.tenants.read(tenant, look(document)) is not None
        except (ClusterError, TenantMoving, TenantMisplaced):
            return False
        return True


@dataclass
class Scene:
    """Two shards, each a primary and its standby, and tenants on shard-1 who are to move."""

    pairs: Mapping[str, Standbys]
    fleet: Fleet
    at: Desk
    ledger: PatientLedger

    async def rebalance(self, source: str = "shard-1", target: str = "shard-2") -> UUID:
        """Order the move, to be ordered again when it is aborted for a fault."""
        rebalance = await order_rebalance(self.at)
        await self.at.order(await self.homes(), source, target, rebalance)
        return rebalance

    @asynccontextmanager
    async def runner(self, told: Told = untold) -> AsyncIterator[None]:
        """A worker's runner that keeps its lease while servers come and go."""
        async with self.at.runner(told, _STEADY):
            yield

    async def homes(self) -> dict[UUID, int]:
        """The tenants' epochs as the directory has them."""
        found = [await self.ledger.data.placements.fetch(one) for one in self.ledger.tenants]
        return {one.client_id: one.epoch for one in found}

    async def settled(self, rebalance: UUID) -> None:
        """Wait until no move is under way, and no server is missing."""
        await self.at.rebalance_is(rebalance, "finished", SETTLED_SECONDS)

    async def check(self, shard: str) -> None:
        """All that was acknowledged is there once, nothing is left, and the doctor agrees."""
        await self.ledger.write_each()
        (epoch,) = set((await self.homes()).values())
        await self.ledger.check(shard, epoch=epoch)
        assert await unsettled(self.at) == []
        assert (await examine(self.at.data)).found == ()

    async def confirmed(self, shard: str, stream: Stream) -> None:
        """Wait until the stream's subscriber has confirmed all that this shard has written."""
        async with self.fleet.shards[shard].session() as session:
            written = await (await session.execute(_WRITTEN)).fetchone()

            async def there() -> bool:
                values = [(written or {})["lsn"], stream.name]
                row = await (await session.execute(_CONFIRMED, values)).fetchone()
                return row is not None and bool(row["confirmed"])

            await until(there)

    async def open_below(self, shard: str) -> list[UUID]:
        """Who could be written to on this shard at an epoch that is over (I3)."""
        homes = [await self.ledger.data.placements.fetch(one) for one in self.ledger.tenants]
        found = []
        async with self.fleet.shards[shard].session() as session:
            for home in homes:
                row = await (await session.execute(_RESIDENT, [home.client_id])).fetchone()
                over = row is not None and row["state"] == "open" and row["epoch"] < home.epoch
                if over and home.shard != shard:
                    found.append(home.client_id)
        return found


@dataclass
class FailOver(Hook):
    """The shard's primary is killed at a step, and its standby takes over.

    The dead one comes back as the standby: before the run goes on when `whole`, else meanwhile.
    """

    scene: Scene
    shard: str
    step: str
    done: bool = False
    whole: bool = False
    falling: asyncio.Task[asyncio.Task[None]] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        super().__init__(self.step, done=self.done)

    async def act(self, _run: Run) -> None:
        self.falling = asyncio.create_task(self._fall())
        # A switch that is abandoned as too slow takes its steps with it, but not what befalls
        # the servers: on a busy machine a takeover can last longer than a pause may.
        await asyncio.shield(self.falling)

    async def _fall(self) -> asyncio.Task[None]:
        pair = self.scene.pairs[self.shard]
        await asyncio.to_thread(pair.fail_over)
        assert await self.scene.open_below(self.shard) == []
        returning = asyncio.create_task(asyncio.to_thread(pair.rejoin))
        if self.whole:
            await returning
        return returning

    async def over(self) -> None:
        """Wait until both servers of the shard run again, if the run came to the step at all."""
        if self.falling is not None:
            await (await self.falling)


@pytest.fixture(scope="module")
def pairs(postgres_site: Site, pair_template: Path) -> Iterator[dict[str, Standbys]]:
    """Servers for all tests of a module: they take turns whenever a test says so."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(standbys(postgres_site, pair_template, name))
            for name in ("shard-1", "shard-2")
        }


@pytest.fixture
async def scene(postgres: Postgres, pairs: dict[str, Standbys]) -> AsyncIterator[Scene]:
    """Databases of this test's own on servers that are whole."""
    for pair in pairs.values():
        await asyncio.to_thread(pair.mend)
    async with _fleet(postgres, pairs) as fleet, fleet.data() as data, desk(fleet, PATIENT) as at:
        tenants = [await fleet.tenant() for _ in range(2)]
        ledger = PatientLedger(fleet, data, tenants)
        await ledger.write_each()
        yield Scene(pairs, fleet, at, ledger)


@asynccontextmanager
async def _fleet(postgres: Postgres, pairs: Mapping[str, Standbys]) -> AsyncIterator[Fleet]:
    with postgres.database("template_global") as global_db, ExitStack() as stack:
        shards = {}
        for name, pair in pairs.items():
            stack.enter_context(pair.server.database("template_shard", global_db.name))
            shards[name] = pair.database(global_db.name)
        async with global_db.cluster(ADMIN) as cluster, cluster.write() as connection:
            for name, pair in pairs.items():
                await shard_catalog.register(connection, name, pair.addresses, weight=1)
                await shard_catalog.set_revision(connection, name, HISTORY.head)
        yield Fleet(global_db, shards)
