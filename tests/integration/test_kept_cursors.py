"""A cursor that is kept reads what a new one would read, whoever asks and whatever went before."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa
import uuid_utils.compat as uuid_utils

from global_db.address import PoolLimits
from global_db.connection import ReadConnection
from global_db.cursors import KeepingConnection, KeptRead
from global_db.directory import Placement
from global_db.statement import read
from services.resources import Data
from shards import documents
from shards.documents import Document
from shards.residency import StaleEpoch, refusals
from shards.tenants import TenantRead, TenantWrite
from tests.integration.databases import Fleet
from tests.integration.work import new_document

pytestmark = pytest.mark.versions

SHARD = "shard-1"


@asynccontextmanager
async def lent(fleet: Fleet) -> AsyncIterator[KeepingConnection]:
    """The one connection of a pool."""
    async with fleet.shards[SHARD].cluster(limits=PoolLimits(max_size=1)) as cluster:
        node = cluster.primary()
        raw = await node.lend(writes=False)
        try:
            yield raw
        finally:
            await node.take_back(raw)


async def filed(fleet: Fleet, data: Data) -> Document:
    """A document of a new tenant, with a value in every column."""
    client_id = await fleet.tenant(SHARD)

    async def work(tenant: TenantWrite) -> Document:
        document = replace(
            new_document(tenant, uuid_utils.uuid7()),
            s3_key="a key",
            current_version=1,
            size=2**40,
            checksum_sha256=bytes(range(32)),
            metadata={"a": [1, "\u00e4", None, {"b": 1.5}]},
            deleted_at=datetime(1999, 12, 31, 23, 59, 59, 999_999, UTC),
            legal_hold=True,
            retain_until=tenant.now,
        )
        await documents.insert(tenant, document)
        return document

    return (await data.tenants.write(client_id, work)).value


def tenant(connection: ReadConnection, client_id: UUID, epoch: int = 1) -> TenantRead:
    return TenantRead(connection, Placement(client_id, SHARD, epoch, "active"))


async def test_it_reads_every_column_as_a_new_one_does(fleet_dbs: Fleet, fleet_data: Data) -> None:
    document = await filed(fleet_dbs, fleet_data)
    async with lent(fleet_dbs) as raw:
        for connection in (ReadConnection(raw), *[KeptRead(raw)] * 3):
            reads = tenant(connection, document.client_id)
            assert await documents.get(reads, document.id) == document
            assert await documents.get(reads, uuid4()) is None


async def test_tenants_that_take_turns_see_their_own(fleet_dbs: Fleet, fleet_data: Data) -> None:
    mine, other = [await filed(fleet_dbs, fleet_data) for _ in range(2)]
    async with lent(fleet_dbs) as raw:
        for one, foreign in ((mine, other), (other, mine)) * 3:
            reads = tenant(KeptRead(raw), one.client_id)
            assert await documents.get(reads, one.id) == one
            assert await documents.get(reads, foreign.id) is None


async def test_what_failed_is_not_kept(fleet_dbs: Fleet, fleet_data: Data) -> None:
    document = await filed(fleet_dbs, fleet_data)
    async with lent(fleet_dbs) as raw:
        here = tenant(KeptRead(raw), document.client_id)
        elsewhere = tenant(KeptRead(raw), document.client_id, epoch=2)
        for _ in range(3):
            assert await documents.get(here, document.id) == document
            kept = raw.kept
            with pytest.raises(StaleEpoch), refusals():
                await documents.get(elsewhere, document.id)
            assert raw.kept == kept - 1


async def test_few_are_kept_and_none_with_rows(fleet_dbs: Fleet) -> None:
    async with lent(fleet_dbs) as raw:
        for number in range(40):
            statement = read(sa.select(sa.literal_column(str(number))))
            assert await KeptRead(raw).tuples(statement) == [(number,)]
        assert raw.kept == 16
        cursor = raw.taken("SELECT 0")
        assert cursor.pgresult is not None
        with pytest.raises(psycopg.Error):
            await cursor.fetchall()
