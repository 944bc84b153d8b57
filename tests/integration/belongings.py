"""A client that has something of everything: documents, history, an archived month, people."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from global_db.clients import Client
from services.access.first_admin import init_admin
from services.fleet import audit_heads, sweeps
from services.fleet.clients import living_or_deleted
from services.fleet.portability.export import Exported, Order, export_client
from services.fleet.portability.reach import Reach, open_reach
from services.keys.local_file import create_key_file
from services.s3_settings import S3Settings
from services.settings import DatabaseRole
from services.tenant import content, documents, purge, versions
from services.tenant.content import Incoming
from shards.documents import Document
from tests.integration.databases import registered_fleet
from tests.integration.desk import Desk, Workplace, caller_of, single
from tests.integration.old_months import OldFleet, months_ago, write_rows
from tests.integration.postgres import Postgres
from tests.integration.s3 import SECOND_BUCKET

EMAIL = "jo@example.org"
GRANT = """
    INSERT INTO docshard.user_roles (id, user_id, role_id, client_id)
    SELECT gen_random_uuid(), %(user)s, id, %(client)s FROM docshard.roles WHERE name = 'editor'
"""
KEY = """
    INSERT INTO docshard.api_keys (id, client_id, name, key_hash, scopes, created_by)
    VALUES (gen_random_uuid(), %(client)s, 'a machine', sha256('x'), '{document:read}', %(user)s)
"""
ODD_NUMBERS = """
    UPDATE docshard.documents SET metadata = '{"n": 1e400, "m": 0.10000000000000000000001}'
     WHERE client_id = %s
"""


@dataclass(frozen=True)
class Estate:
    """A fleet, and what an operator's command holds of it."""

    workplace: Workplace
    reach: Reach

    async def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Ask the global database, past all rules."""
        return await _ask(self.workplace.fleet.global_db, statement, values)

    async def shard_sql(self, shard: str, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Ask a shard."""
        return await _ask(self.workplace.fleet.shards[shard], statement, values)

    async def client(self, client_id: UUID) -> Client:
        return await living_or_deleted(self.reach.data, str(client_id))

    async def export(self, client_id: UUID, folder: Path) -> Exported:
        return await export_client(self.reach, Order(await self.client(client_id), folder))

    async def keys(self, client_id: UUID) -> list[str]:
        """Keys of the client's objects in the bucket."""
        found: list[str] = []
        for prefix in (f"{client_id}/", f"audit-archive/{client_id}/"):
            found += [key async for page in self.reach.blobs.list_keys(prefix) for key in page]
        return found


async def _ask(database: Any, statement: str, values: Any) -> list[dict[str, Any]]:
    async with database.session() as session:
        cursor = await session.execute(statement.encode(), values)
        return await cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session")
def versioned_s3(s3_settings: S3Settings) -> S3Settings:
    """Another bucket, which keeps versions."""
    return s3_settings.model_copy(update={"bucket": SECOND_BUCKET, "versioning": True})


Estates = Callable[[S3Settings], AbstractAsyncContextManager[Estate]]


@pytest.fixture(scope="module")
def estates(
    postgres: Postgres,
    shard_servers: tuple[Postgres, Postgres],
    tmp_path_factory: pytest.TempPathFactory,
) -> Estates:
    """Makes fleets, each with databases and keys of its own, that keep blobs as told."""

    @asynccontextmanager
    async def estate(s3: S3Settings) -> AsyncIterator[Estate]:
        key_file = tmp_path_factory.mktemp("estate") / "keys"
        create_key_file(key_file)
        async with registered_fleet(postgres, shard_servers) as fleet:
            workplace = Workplace(fleet, s3, key_file)
            async with open_reach(workplace.settings()) as reach:
                await reach.blobs.ensure_bucket()
                yield Estate(workplace, reach)

    return estate


async def furnish(estate: Estate) -> UUID:
    """A client of shard-1 with something in every table."""
    client_id = await estate.workplace.fleet.tenant("shard-1")
    async with estate.workplace.process(DatabaseRole.WORKER) as worker:
        await worker.data.registry.refresh()
        old = OldFleet(estate.workplace, worker)
        await write_rows(old.shard, client_id, months_ago(30), 40)
        await old.ready()
        assert (await sweeps.archive_months(worker)).failed == ()
        async with estate.workplace.process() as resources:
            # A busy machine may have kept it from looking at the start.
            await resources.data.registry.refresh()
            await _work(Desk(estate.workplace, resources, caller_of(client_id)))
            user = await init_admin(resources, EMAIL, "a long enough password")
        await old.link()
        await audit_heads.sign_heads(worker.data, worker.secrets.keyring)
    for statement in (GRANT, KEY):
        async with estate.workplace.fleet.global_db.session() as session:
            await session.execute(statement, {"user": user, "client": client_id})
    return client_id


async def _work(desk: Desk) -> None:
    """Two versions of one, promoted; a large one; one in the bin; one purged; an upload begun."""
    resources, access = desk.resources, desk.access
    kept = await desk.document()
    for text in (b"first", b"second, \xc3\xa9\n"):
        await content.put(resources, access, kept.id, Incoming(single(text)))
    await versions.promote(resources, access, (kept.id, 1), whatever)
    large = await desk.document()
    await content.put(resources, access, large.id, Incoming(single(bytes(6 * 1024**2))))
    for purged in (False, True):
        binned = await desk.document()
        await content.put(resources, access, binned.id, Incoming(single(b"binned")))
        await documents.delete(resources, access, binned.id, whatever)
        if purged:
            await purge.purge(resources, access, binned.id)
    await desk.begin(kept, b"never sent")
    async with desk.workplace.fleet.shards["shard-1"].session() as session:
        await session.execute("SET session_replication_role = replica")
        await session.execute(ODD_NUMBERS, [access.client_id])


def whatever(_: Document) -> bool:
    """The precondition of who has seen nothing."""
    return True


def digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
