"""A fleet that works, what proves it, and tenants with a history to be proven."""

from collections.abc import AsyncIterator
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
from services.settings import DatabaseRole, S3Settings
from services.tenant import content, documents, purge
from services.tenant.content import Incoming
from services.tenant.documents import Document, DocumentPatch, NewDocument
from tests.integration.databases import registered_fleet
from tests.integration.desk import Workplace, caller_of, single
from tests.integration.postgres import ADMIN, MOVER, Postgres

SETTLED = Scope(staleness=None, settled=True)


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

    async def story(self, access: TenantAccess, versions: int = 3) -> UUID:
        """A document that was made, filled, renamed, deleted and brought back; and one purged."""
        kept = await self.document(access)
        for number in range(versions):
            await self.put(access, kept, f"version {number}")
        patch = DocumentPatch(original_name="b.txt", metadata={"n": 1.5, "who": "é"})
        await documents.update(self.router, access, kept, patch, anything)
        await documents.delete(self.router, access, kept, anything)
        await documents.restore(self.router, access, kept)
        gone = await self.document(access)
        await self.put(access, gone, "gone")
        await documents.delete(self.router, access, gone, anything)
        await purge.purge(self.router, access, gone)
        return kept

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

    async def spoil(self, shard: str, statement: str, **values: Any) -> None:
        """What somebody does on a shard who may do everything there."""
        async with self.workplace.fleet.shards[shard].session() as session:
            await session.execute("SET session_replication_role = replica")
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
