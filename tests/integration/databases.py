"""Databases for tests: one shard's, the global one, and a fleet of one global and two shards."""

from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
import uuid_utils.compat as uuid_utils

from global_db import shard_catalog
from global_db.cluster import Cluster, NodeAddress, PoolLimits
from services.resources import Data
from shards.placement import CacheLimits, PlacementCache
from shards.registry import REVISIONS, ShardRegistry
from shards.tenants import FenceLimits, Tenants
from tests.integration.postgres import ADMIN, APP, TEMPLATES, Database, Postgres, Site, site

NEW_CLIENT = """
    INSERT INTO docshard.clients (id, code, name, shard, epoch)
    VALUES (%(id)s, %(id)s, 'a tenant', %(shard)s, %(epoch)s)
"""


@dataclass(frozen=True)
class ShardDatabase(Database):
    """A shard's database."""

    async def admit(self, epoch: int = 1) -> UUID:
        """A new tenant that lives here."""
        client_id = uuid_utils.uuid7()
        async with self.session(APP) as session:
            await session.execute("SELECT docshard.admit(%s, %s)", [client_id, epoch])
        return client_id


@dataclass(frozen=True)
class Bounds:
    """How patient a fleet's data are."""

    pool: PoolLimits = field(default_factory=PoolLimits)
    cache: CacheLimits = field(default_factory=CacheLimits)
    fence: FenceLimits = field(default_factory=FenceLimits)


@dataclass(frozen=True)
class Fleet:
    """A global database and two shards, each on a server of its own, registered and empty."""

    global_db: Database
    shards: Mapping[str, ShardDatabase]

    @asynccontextmanager
    async def data(
        self,
        bounds: Bounds | None = None,
        directory: NodeAddress | None = None,
        **cache: Any,
    ) -> AsyncIterator[Data]:
        """What a router holds of it; `directory` is another way to the global database."""
        async with self.opened(APP, bounds, directory, **cache) as data:
            await data.registry.refresh()
            yield data

    @asynccontextmanager
    async def opened(
        self,
        role: str,
        bounds: Bounds | None = None,
        directory: NodeAddress | None = None,
        **cache: Any,
    ) -> AsyncIterator[Data]:
        """The same before it has read the catalog, which need not exist yet."""
        chosen, login = bounds or Bounds(), self.global_db.login(role)
        cluster = Cluster("global", [directory or self.global_db.address], login, chosen.pool)
        async with cluster, ShardRegistry(cluster, login, chosen.pool) as registry:
            placements = PlacementCache(cluster, chosen.cache, **cache)
            tenants = Tenants(placements, registry, chosen.fence)
            yield Data(cluster, registry, placements, tenants)

    async def tenant(self, shard: str = "shard-1", epoch: int = 1) -> UUID:
        """A new tenant that the directory and the shard agree about."""
        client_id = await self.shards[shard].admit(epoch)
        async with self.global_db.session() as session:
            await session.execute(
                NEW_CLIENT, {"id": client_id, "shard": shard, "epoch": epoch}, prepare=False
            )
        return client_id

    async def place(self, client_id: UUID, shard: str, epoch: int) -> None:
        """Change the directory, as a move does at its commit point."""
        async with self.global_db.session() as session:
            await session.execute(
                "UPDATE docshard.clients SET shard = %s, epoch = %s WHERE id = %s",
                [shard, epoch, client_id],
            )


@pytest.fixture(scope="session")
def postgres_site() -> Iterator[Site]:
    with site() as made:
        yield made


@pytest.fixture(scope="session")
def postgres(postgres_site: Site) -> Iterator[Postgres]:
    """The server that most tests work on, with a template of each schema."""
    with postgres_site.server("first") as server:
        make_template(server, "template_global")
        make_template(server, "template_shard")
        yield server


@pytest.fixture(scope="session")
def shard_servers(postgres_site: Site) -> Iterator[tuple[Postgres, Postgres]]:
    """Two more servers, with a template of a shard's schema."""
    with ExitStack() as stack:
        one, two = (stack.enter_context(postgres_site.server(f"shard-{n}")) for n in (1, 2))
        with ThreadPoolExecutor() as threads:
            list(threads.map(lambda server: make_template(server, "template_shard"), (one, two)))
        yield one, two


def make_template(server: Postgres, name: str) -> None:
    """Give a server the migrated database that fleets' databases are cloned from."""
    server.prepare(name)
    server.migrate(name, TEMPLATES[name])


@pytest.fixture
def shard_db(postgres: Postgres) -> Iterator[ShardDatabase]:
    """A shard of this test's own."""
    with postgres.database("template_shard") as database:
        yield ShardDatabase(database.server, database.name)


@pytest.fixture(scope="module")
def module_shard(postgres: Postgres) -> Iterator[ShardDatabase]:
    """A shard that the tests of a module share, each with tenants of its own."""
    with postgres.database("template_shard") as database:
        yield ShardDatabase(database.server, database.name)


@pytest.fixture
def global_db(postgres: Postgres) -> Iterator[Database]:
    """A global database of this test's own."""
    with postgres.database("template_global") as database:
        yield database


@asynccontextmanager
async def registered_fleet(
    postgres: Postgres, shard_servers: tuple[Postgres, Postgres]
) -> AsyncIterator[Fleet]:
    """A fleet with two registered shards; their databases have the name of the global one."""
    with (
        postgres.database("template_global") as global_db,
        shards_of(shard_servers, global_db.name, "template_shard") as shards,
    ):
        async with global_db.cluster(ADMIN) as cluster, cluster.write() as connection:
            for name, shard in shards.items():
                await shard_catalog.register(connection, name, [shard.address], weight=1)
                await shard_catalog.set_revision(connection, name, REVISIONS.head)
        yield Fleet(global_db, shards)


@pytest.fixture(scope="module")
async def fleet_dbs(
    postgres: Postgres, shard_servers: tuple[Postgres, Postgres]
) -> AsyncIterator[Fleet]:
    """A fleet that the tests of a module share, each with tenants of its own."""
    async with registered_fleet(postgres, shard_servers) as fleet:
        yield fleet


@pytest.fixture
async def own_fleet(
    postgres: Postgres, shard_servers: tuple[Postgres, Postgres]
) -> AsyncIterator[Fleet]:
    """A fleet whose catalog, roles or servers a test changes."""
    async with registered_fleet(postgres, shard_servers) as fleet:
        yield fleet


@contextmanager
def shards_of(
    servers: tuple[Postgres, ...], name: str, template: str | None
) -> Iterator[dict[str, ShardDatabase]]:
    """A database of this name on every server."""
    with ExitStack() as stack:
        for server in servers:
            stack.enter_context(server.database(template, name))
        yield {
            f"shard-{number}": ShardDatabase(server, name)
            for number, server in enumerate(servers, start=1)
        }


@pytest.fixture
def bare_fleet(postgres: Postgres, shard_servers: tuple[Postgres, Postgres]) -> Iterator[Fleet]:
    """Databases with roles and no tables."""
    with (
        postgres.database() as global_db,
        shards_of(shard_servers, global_db.name, None) as shards,
    ):
        yield Fleet(global_db, shards)


@pytest.fixture
async def fleet_data(fleet_dbs: Fleet) -> AsyncIterator[Data]:
    """What a router holds of the fleet."""
    async with fleet_dbs.data() as data:
        yield data
