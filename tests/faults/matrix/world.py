"""One fleet for all cases of a test process: a global database, two shards, runners, a router.

Servers and runners are hurt and mended; nothing is made anew between cases, so whatever one case
leaves behind is in the way of the next.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from uuid import UUID

from global_db import shard_catalog
from global_db.cluster import Cluster
from global_db.errors import ClusterError
from global_db.migration import GLOBAL_HISTORY
from services.resources import Data, Resources
from shards.copying import claims
from shards.history import HISTORY
from tests.faults.matrix.ledger import Ledger
from tests.faults.matrix.runners import Runners
from tests.faults.matrix.stands import DATABASE, Stand, guarded_stand, stand
from tests.integration.databases import Fleet
from tests.integration.desk import caller_of
from tests.integration.postgres import ADMIN, MOVER, Site
from tests.integration.process import resources_of
from tests.integration.waiting import until

SHARDS = ("shard-1", "shard-2")
BATCH = 2
_FURNITURE = 20
# Tenants who have grown so much are left alone, and new ones are made.
_FULL = 120
_SETTLE_SECONDS = 20.0


@dataclass
class World:
    """What a case plays in. `operator` and `mover` are the databases as those roles see them."""

    catalog: Stand
    shards: Mapping[str, Stand]
    runners: Runners
    resources: Resources
    operator: Data
    mover: Data
    bystanders: list[Ledger] = field(default_factory=list)
    batch: list[Ledger] = field(default_factory=list)

    @property
    def fleet(self) -> Fleet:
        """Its databases past all lines, as their primaries have them now."""
        return fleet_of(self.catalog, self.shards)

    async def furnished(self) -> None:
        """See that there are tenants to move and one beside them on each shard, none too large."""
        if not _fit(self.batch):
            self.batch = [await self.tenant(SHARDS[0]) for _ in range(BATCH)]
        if not _fit(self.bystanders):
            self.bystanders = [await self.tenant(name) for name in SHARDS]

    @property
    def ledgers(self) -> list[Ledger]:
        """Of all who are written to now."""
        return [*self.batch, *self.bystanders]

    async def tenant(self, shard: str) -> Ledger:
        """A new tenant there, with some documents."""
        made = Ledger(self.resources, caller_of(await self.fleet.tenant(shard)))
        await made.furnish(_FURNITURE)
        return made

    async def home(self, client_id: UUID) -> tuple[str, int]:
        """Shard and epoch as the directory has them."""
        async with self.fleet.global_db.session() as session:
            cursor = await session.execute(
                "SELECT shard, epoch FROM docshard.clients WHERE id = %s", [client_id]
            )
            row = await cursor.fetchone()
        assert row is not None
        return row["shard"], row["epoch"]

    @asynccontextmanager
    async def by_links(self) -> AsyncIterator[None]:
        """Movers that connect while the block lasts go through lines that can be cut."""
        await catalogue(self.operator.global_db, self.shards, by_links=True)
        await self.operator.registry.refresh()
        try:
            yield
        finally:
            await catalogue(self.operator.global_db, self.shards, by_links=False)
            await self.operator.registry.refresh()

    async def settled(self) -> None:
        """Wait until whoever watches reaches every server again."""

        async def there() -> bool:
            try:
                for data in (self.operator, self.mover):
                    await data.registry.refresh()
                    for one in data.registry.shards():
                        await claims.place(data.registry.cluster(one.name))
            except ClusterError:
                return False
            return True

        await until(there, _SETTLE_SECONDS)

    def other(self, shard: str) -> str:
        """The shard that is not this one."""
        return next(name for name in self.shards if name != shard)


def _fit(ledgers: Sequence[Ledger]) -> bool:
    return bool(ledgers) and all(one.writes < _FULL for one in ledgers)


@dataclass
class Worlds:
    """The worlds of a test process, with standbys and without; after a case that failed, others."""

    site: Site
    folder: Path
    _now: dict[bool, World] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _numbers: Iterator[int] = field(default_factory=count)

    async def get(self, *, guarded: bool) -> World:
        """The present one; `guarded` when each shard is to have a standby."""
        if guarded not in self._now:
            folder = self.folder / str(next(self._numbers))
            folder.mkdir()
            made = world_of(self.site, folder, guarded=guarded)
            self._now[guarded] = await self._stack.enter_async_context(made)
        return self._now[guarded]

    async def end(self) -> None:
        """Nobody relies on them any more."""
        self._now.clear()
        await self._stack.aclose()


def fleet_of(catalog: Stand, shards: Mapping[str, Stand]) -> Fleet:
    """The databases, past all lines."""
    return Fleet(catalog.database, {name: one.database for name, one in shards.items()})


@asynccontextmanager
async def world_of(site: Site, folder: Path, *, guarded: bool) -> AsyncIterator[World]:
    """A world until the block ends; with `guarded` each shard has a synchronous standby."""
    async with AsyncExitStack() as stack:
        catalog = await stack.enter_async_context(stand(site, "global", GLOBAL_HISTORY))
        made = guarded_stand if guarded else stand
        shards: dict[str, Stand] = {
            name: await stack.enter_async_context(made(site, name, HISTORY)) for name in SHARDS
        }
        async with inhabited(catalog, shards, folder) as world:
            yield world


@asynccontextmanager
async def inhabited(
    catalog: Stand, shards: Mapping[str, Stand], folder: Path
) -> AsyncIterator[World]:
    """These servers with everything that works on them."""
    fleet = fleet_of(catalog, shards)
    async with fleet.global_db.cluster(ADMIN) as cluster:
        await catalogue(cluster, shards, by_links=False)
    async with AsyncExitStack() as stack:
        resources = await stack.enter_async_context(resources_of(fleet.global_db, folder))
        operator, mover = [
            await stack.enter_async_context(fleet.opened(role)) for role in (ADMIN, MOVER)
        ]
        for data in (operator, mover):
            await data.registry.refresh()
        runners = Runners(environment_of(catalog), folder)
        stack.push_async_callback(runners.close)
        runners.warm_up()
        yield World(catalog, shards, runners, resources, operator, mover)


async def catalogue(cluster: Cluster, shards: Mapping[str, Stand], *, by_links: bool) -> None:
    """Tell everybody where the shards are."""
    async with cluster.write() as connection:
        for name, one in shards.items():
            addresses = one.addresses(by_links=by_links)
            await shard_catalog.register(connection, name, addresses, weight=1)
            await shard_catalog.set_revision(connection, name, HISTORY.head)


def environment_of(catalog: Stand) -> dict[str, str]:
    """A worker's environment; graces end when a test says so."""
    password = catalog.primary.site.password
    return {
        "DOCSHARD_GLOBAL_NODES": json.dumps([catalog.address().model_dump()]),
        "DOCSHARD_DATABASE": DATABASE,
        "DOCSHARD_MOVER_PASSWORD": password,
        "DOCSHARD_WORKER_PASSWORD": password,
        "DOCSHARD_MOVE_GRACE_SECONDS": "600",
        "DOCSHARD_S3_ENDPOINT": "http://127.0.0.1:9",
        "DOCSHARD_S3_BUCKET": "unused",
        "DOCSHARD_S3_ACCESS_KEY": "unused",
        "DOCSHARD_S3_SECRET_KEY": "unused",
    }
