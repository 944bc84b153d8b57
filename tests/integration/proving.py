"""A fleet that works, what proves it, and tenants with a history to be proven."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.access.admission import TenantAccess
from services.blobs.store import BlobStore
from services.fleet import audit_heads, audit_links
from services.fleet.invariants.proof import Finding, Report, Scope, Sources, prove
from services.keys.local_file import create_key_file
from services.resources import Resources
from services.s3_settings import S3Settings
from services.settings import DatabaseRole
from services.tenant import content, documents, purge, versions
from services.tenant.content import Incoming
from services.tenant.documents import Document, DocumentPatch, NewDocument
from tests.integration.databases import registered_fleet
from tests.integration.desk import Workplace, caller_of, single
from tests.integration.postgres import ADMIN, MOVER, Postgres

SETTLED = Scope(staleness=None, settled=True)
_AT_ONCE = 4


def anything(_: Document) -> bool:
    """If-Match: *."""
    return True


@dataclass(frozen=True)
class Proving:
    """A router and a worker of a fleet, and what an operator proves it with."""

    workplace: Workplace
    router: Resources
    worker: Resources
    sources: Sources

    async def tenant(self, shard: str = "shard-1") -> TenantAccess:
        """A new client, and a caller who may do everything with its documents."""
        return caller_of(await self.workplace.fleet.tenant(shard))

    async def stories(self, owners: Iterable[TenantAccess]) -> list[UUID]:
        """A document with a story for each of them."""
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(access: TenantAccess) -> UUID:
            async with places:
                return await self.story(access)

        return list(await asyncio.gather(*map(one, owners)))

    async def story(self, access: TenantAccess) -> UUID:
        """A document that was made, filled, filled otherwise, filled as at first, renamed, deleted
        and brought back."""
        kept = await self.document(access)
        for text in ("one", "two"):
            await self.put(access, kept, text)
        await versions.promote(self.router, access, (kept, 1), anything)
        patch = DocumentPatch(original_name="b.txt", metadata={"n": 1.5, "who": "é"})
        await documents.update(self.router, access, kept, patch, anything)
        await documents.delete(self.router, access, kept, anything)
        await documents.restore(self.router, access, kept)
        return kept

    async def purged(self, access: TenantAccess) -> UUID:
        """A document that was filled, deleted and purged."""
        gone = await self.document(access)
        await self.put(access, gone, "gone")
        await documents.delete(self.router, access, gone, anything)
        await purge.purge(self.router, access, gone)
        return gone

    async def document(self, access: TenantAccess) -> UUID:
        """A new document without content."""
        new = NewDocument("a.txt", "text/plain", {"n": 1})
        return (await documents.create(self.router, access, new)).value.id

    async def put(self, access: TenantAccess, document: UUID, text: str) -> None:
        """Give it another content."""
        incoming = Incoming(single(text.encode()), "text/plain")
        await content.put(self.router, access, document, incoming)

    async def link(self) -> None:
        """What the worker does every second: link what waits, and sign."""
        for shard in self.worker.data.registry.shards():
            await audit_links.link_shard(self.worker.data.registry.cluster(shard.name))
        await audit_heads.sign_heads(self.worker.data, self.worker.secrets.keyring)

    async def spoil(self, statement: str, shard: str = "shard-1", **values: Any) -> None:
        """What somebody does on a shard who may do everything there."""
        async with self.workplace.fleet.shards[shard].session() as session:
            await session.execute("SET session_replication_role = replica")
            await session.execute(statement.encode(), values)

    async def direct(self, statement: str, **values: Any) -> None:
        """What somebody does in the global database."""
        async with self.workplace.fleet.global_db.session() as session:
            await session.execute(statement.encode(), values)

    async def prove(self, scope: Scope = SETTLED) -> Report:
        """Everything, unless told otherwise."""
        return await prove(self.sources, scope)

    async def found(self, client: UUID, **scope: Any) -> list[Finding]:
        """What is wrong with one client."""
        return (await self.prove(replace(SETTLED, client=client, **scope))).findings


@asynccontextmanager
async def proving(workplace: Workplace, blobs: BlobStore) -> AsyncIterator[Proving]:
    """Everything opened that a proof needs."""
    async with AsyncExitStack() as stack:
        router = await stack.enter_async_context(workplace.process())
        worker = await stack.enter_async_context(workplace.process(DatabaseRole.WORKER))
        admin = await stack.enter_async_context(workplace.fleet.opened(ADMIN))
        mover = await stack.enter_async_context(workplace.fleet.opened(MOVER))
        sources = Sources(admin, mover, blobs, router.secrets.keyring)
        yield Proving(workplace, router, worker, sources)


@pytest.fixture(scope="module", name="proven")
async def make_proving(
    postgres: Postgres,
    shard_servers: tuple[Postgres, Postgres],
    blobs: BlobStore,
    s3_settings: S3Settings,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Proving]:
    """One for the tests of a module, each with tenants of its own."""
    key_file: Path = tmp_path_factory.mktemp("keys") / "key"
    create_key_file(key_file)
    async with (
        registered_fleet(postgres, shard_servers) as fleet,
        proving(Workplace(fleet, s3_settings, key_file), blobs) as opened,
    ):
        yield opened
