"""Audit rows written, linked, signed and verified, by the roles that do so in a fleet."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.audit import Event, record
from services.chain import heads
from services.chain.heads import GLOBAL_CHAIN
from services.chain.sources import ChainSource, GlobalChain, TenantChain
from services.chain.verification import USUAL, Extent, Pace, Report, Verification
from services.fleet import audit_heads, audit_links
from services.identity.principal import Caller, Origin, Principal
from services.ids import new_id
from services.keys.keyring import Keyring
from services.keys.local_file import create_key_file
from services.keys.providers import open_keyring
from services.resources import Data
from shards.tenants import TenantWrite
from tests.integration.databases import Fleet
from tests.integration.postgres import WORKER
from tests.integration.service import settings_for

CALLER = Caller(Principal(new_id(), None, ()), Origin(None, "a request"))


def an_event(number: int = 0) -> Event:
    """A change; its images hold what JSON can make of text and numbers."""
    images = {"name": f'é\n\t\x01"\\ {number}', "ratio": 1e25 + number, "many": [1, None, True]}
    return Event("document.update", "document", new_id(), images, images | {"name": "b"})


@dataclass(frozen=True)
class Chains:
    """A fleet as the application and the worker hold it."""

    fleet: Fleet
    app: Data
    worker: Data
    keyring: Keyring
    pace: Pace = USUAL

    async def tenant(self, rows: int = 0) -> UUID:
        """A new tenant on the first shard, with so many rows that are not linked."""
        client_id = await self.fleet.tenant("shard-1")
        if rows:
            await self.note(client_id, rows)
        return client_id

    async def note(self, client_id: UUID, rows: int = 1, pause: float = 0) -> None:
        """One transaction that adds audit rows, and stays open for a while."""

        async def work(tenant: TenantWrite) -> None:
            for number in range(rows):
                await record(tenant, CALLER, an_event(number))
            await asyncio.sleep(pause)

        await self.app.tenants.write(client_id, work)

    async def link(self) -> int:
        """Link all that waits on the first shard."""
        return await audit_links.link_shard(self.worker.registry.cluster("shard-1"))

    async def sign(self) -> int:
        """Sign every head that moved."""
        return await audit_heads.sign_heads(self.worker, self.keyring)

    async def verify(self, client_id: UUID, extent: Extent | None = None, **options: Any) -> Report:
        """What the application finds, which is how the API asks."""
        source: ChainSource = TenantChain(self.app, client_id)
        if client_id == GLOBAL_CHAIN:
            source = GlobalChain(self.app)
        known = await heads.load(self.app, self.keyring, client_id)
        return await Verification(source, known, extent or Extent(), self.pace).run(**options)

    async def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """What a superuser does on the first shard, past triggers and policies."""
        async with self.fleet.shards["shard-1"].session() as session:
            await session.execute("SET session_replication_role = replica")
            cursor = await session.execute(statement.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def chain(self, client_id: UUID) -> list[dict[str, Any]]:
        """The links of a tenant."""
        return await self.sql(
            "SELECT * FROM docshard.audit_chain WHERE client_id = %s ORDER BY seq", client_id
        )


@pytest.fixture(scope="module")
async def chains(
    fleet_dbs: Fleet, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Chains]:
    """The module's fleet, opened."""
    key_file: Path = tmp_path_factory.mktemp("keys") / "key"
    create_key_file(key_file)
    settings = settings_for(fleet_dbs.global_db, key_file)
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(fleet_dbs.data())
        worker = await stack.enter_async_context(fleet_dbs.opened(WORKER))
        await worker.registry.refresh()
        keyring = await stack.enter_async_context(open_keyring(settings, app.global_db))
        yield Chains(fleet_dbs, app, worker, keyring)


def somewhere(rows: int, seed: int) -> int:
    """A seq in the middle of a chain of so many links, the same for the same seed."""
    return random.Random(seed).randrange(2, rows)
