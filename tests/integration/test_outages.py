"""What goes on while a database is away: trust that ends, and outcomes that are looked up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
import uuid_utils.compat as uuid_utils

from global_db import shard_catalog
from services import committed
from services.access.authentication import authenticate
from services.errors import DirectoryUnavailable, OutcomeUnknown, Unauthenticated
from services.fleet.readiness import readiness
from services.identity import key_text
from services.ids import new_id
from services.resources import Resources
from services.settings import Timing
from services.tenant import documents
from services.tenant.document_state import NewDocument
from shards.tenants import TenantWrite
from tests.integration.databases import Fleet
from tests.integration.desk import caller_of
from tests.integration.postgres import ADMIN
from tests.integration.process import resources_of
from tests.integration.waiting import until
from tests.integration.wire import Wire
from tests.integration.work import insert

COMMIT = b"COMMIT;"
NEW = NewDocument("a.txt", "text/plain", {})


@dataclass(frozen=True)
class Office:
    """One process that reaches the directory and shard-1 through wires, and a tenant there."""

    fleet: Fleet
    resources: Resources
    directory: Wire
    shard: Wire
    client_id: UUID

    async def api_key(self) -> str:
        key = key_text.generate()
        async with self.fleet.global_db.session() as session:
            await session.execute(
                "INSERT INTO docshard.api_keys (id, client_id, name, key_hash, scopes, created_by)"
                " VALUES (%s, %s, 'k', %s, '{document:read}', %s)",
                [new_id(), self.client_id, key.digest, new_id()],
            )
        return key.text

    async def sql(self, statement: str) -> None:
        async with self.fleet.global_db.session() as session:
            await session.execute(statement.encode())


@asynccontextmanager
async def office_of(fleet: Fleet, folder: Path, timing: Timing) -> AsyncIterator[Office]:
    client_id = await fleet.tenant()
    async with (
        Wire(fleet.global_db.address).up() as directory,
        Wire(fleet.shards["shard-1"].address).up() as shard,
    ):
        async with fleet.global_db.cluster(ADMIN) as cluster, cluster.write() as connection:
            await shard_catalog.register(connection, "shard-1", [shard.address], weight=1)
        async with resources_of(
            fleet.global_db, folder, timing=timing, directory=directory.address
        ) as resources:
            yield Office(fleet, resources, directory, shard, client_id)


@pytest.fixture
async def office(own_fleet: Fleet, tmp_path: Path) -> AsyncIterator[Office]:
    timing = Timing(principal_lease_seconds=0.001, placement_lease_seconds=0.001)
    async with office_of(own_fleet, tmp_path, timing) as made:
        yield made


async def test_without_the_directory_who_was_verified_goes_on_and_nobody_else(
    office: Office,
) -> None:
    known, unknown = await office.api_key(), await office.api_key()
    principal = await authenticate(office.resources, known)
    data = office.resources.data
    await data.tenants.write(office.client_id, insert(uuid_utils.uuid7()))
    office.directory.cut()
    assert await authenticate(office.resources, known) == principal
    await data.tenants.write(office.client_id, insert(uuid_utils.uuid7()))
    assert readiness(office.resources).ready
    with pytest.raises(DirectoryUnavailable):
        await authenticate(office.resources, unknown)
    # As soon as it can be asked, it is: what was revoked meanwhile is out.
    await office.sql("UPDATE docshard.api_keys SET revoked_at = now()")
    office.directory.mend()

    async def available() -> bool:
        return data.global_db.available

    await until(available)
    with pytest.raises(Unauthenticated):
        await authenticate(office.resources, known)
    office.directory.cut()
    with pytest.raises(DirectoryUnavailable):
        await authenticate(office.resources, known)


async def test_trust_without_the_directory_ends(own_fleet: Fleet, tmp_path: Path) -> None:
    timing = Timing(principal_lease_seconds=0.001, outage_seconds=0)
    async with office_of(own_fleet, tmp_path, timing) as office:
        key = await office.api_key()
        await authenticate(office.resources, key)
        await office.resources.data.placements.get(office.client_id)
        office.directory.cut()
        with pytest.raises(DirectoryUnavailable):
            await authenticate(office.resources, key)

        async def unready() -> bool:
            return not readiness(office.resources).ready

        await until(unready)


@pytest.mark.parametrize("arrives", [True, False], ids=["took effect", "never arrived"])
async def test_a_lost_commit_is_settled_by_its_idempotency_key(
    office: Office, *, arrives: bool
) -> None:
    access = caller_of(office.client_id)
    (office.shard.cut_after if arrives else office.shard.cut_before)(COMMIT)
    made = (await documents.create(office.resources, access, NEW, "once")).value
    again = (await documents.create(office.resources, access, NEW, "once")).value
    assert again.id == made.id
    async with office.fleet.shards["shard-1"].session() as session:
        cursor = await session.execute("SELECT id FROM docshard.documents")
        assert [row["id"] for row in await cursor.fetchall()] == [made.id]


async def test_a_lost_commit_without_a_key_stays_unknown(office: Office) -> None:
    office.shard.cut_after(COMMIT)
    with pytest.raises(OutcomeUnknown):
        await documents.create(office.resources, caller_of(office.client_id), NEW)


async def test_an_outcome_that_cannot_be_found_out_is_called_unknown(
    own_fleet: Fleet, tmp_path: Path
) -> None:
    async with office_of(own_fleet, tmp_path, Timing(settle_seconds=0.3)) as office:

        async def work(tenant: TenantWrite) -> None:
            await insert(uuid_utils.uuid7())(tenant)
            office.shard.cut_before(COMMIT)

        with pytest.raises(OutcomeUnknown):
            await committed.write(office.resources, office.client_id, work, repeatable=True)
