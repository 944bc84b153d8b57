"""A shard with a replica, and one process that reads from both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import uuid_utils.compat as uuid_utils

from global_db.reading import Served, collect_served
from services.resources import Data
from shards.tenants import TenantReading, Write, Written
from tests.integration.databases import Fleet
from tests.integration.pair import Pair, Way, paired_fleet
from tests.integration.postgres import Site
from tests.integration.waiting import until
from tests.integration.work import insert, look

STALE = TenantReading(max_staleness=5)


@dataclass(frozen=True)
class Twins:
    """A shard with a replica, one process that serves it, and a tenant there."""

    fleet: Fleet
    pair: Pair
    data: Data
    client_id: UUID

    async def write(self) -> tuple[UUID, Written[None]]:
        document_id = uuid_utils.uuid7()
        return document_id, await self.data.tenants.write(self.client_id, insert(document_id))

    async def read(
        self, document_id: UUID, reading: TenantReading, data: Data | None = None
    ) -> tuple[bool, Served]:
        """Whether the document is there, and who says so."""
        served: list[Served] = []
        collect_served(served)
        found = await (data or self.data).tenants.read(self.client_id, look(document_id), reading)
        return found is not None, served[-1]

    async def until_served_by(
        self, who: str, reading: TenantReading = STALE, data: Data | None = None
    ) -> None:
        async def served() -> bool:
            return (await self.read(uuid4(), reading, data))[1].by == who

        await until(served)

    async def until_primary(self, port: int) -> None:
        """Wait until the process follows the server on this port."""
        cluster = self.data.registry.cluster("shard-1")
        ports = {wire.address.port: wire.upstream_port for wire in self.pair.wires}

        async def follows() -> bool:
            return cluster.available and ports[cluster.primary_address().port] == port

        await until(follows, 10)


@asynccontextmanager
async def twins_of(
    site: Site, template: Path, own_fleet: Fleet, way: Way | None = None
) -> AsyncIterator[Twins]:
    async with paired_fleet(site, template, own_fleet, way) as (fleet, pair):
        client_id = await fleet.tenant()
        async with fleet.data() as data:
            twins = Twins(fleet, pair, data, client_id)
            await twins.until_served_by("replica")
            yield twins


def after(written: Written[None]) -> TenantReading:
    return TenantReading(5, Write(written.placement.epoch, written.position))
