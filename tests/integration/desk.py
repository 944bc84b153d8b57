"""The services over a fleet and a real S3 server: use cases as a router or a worker runs them."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from global_db.identities import Grant
from services.access.admission import TenantAccess
from services.blobs.store import BlobStore
from services.identity.principal import Caller, Origin, Principal
from services.ids import new_id
from services.keys.local_file import create_key_file
from services.resources import Resources, open_resources
from services.s3_settings import S3Settings
from services.settings import DatabaseRole, Limits, Settings
from services.tenant import documents, uploads
from services.tenant.documents import Document, NewDocument
from services.tenant.tickets import Granted, Intent
from services.tenant.versions import Version
from tests.integration.databases import Fleet, registered_fleet
from tests.integration.postgres import Postgres

EVERYTHING = frozenset(
    {"document:read", "document:write", "document:delete", "document:purge", "audit:read"}
)


@dataclass(frozen=True)
class Workplace:
    """A fleet's databases and bucket, and how processes of ours open them."""

    fleet: Fleet
    s3: S3Settings
    key_file: Path

    def settings(self, s3: S3Settings | None = None, **limits: Any) -> Settings:
        """What a process's environment says."""
        password = SecretStr(self.fleet.global_db.server.password)
        return Settings(
            global_nodes=(self.fleet.global_db.address,),
            database=self.fleet.global_db.name,
            app_password=password,
            worker_password=password,
            admin_db_password=password,
            mover_password=password,
            key_file=self.key_file,
            s3=s3 or self.s3,
            limits=Limits(**limits),
        )

    @asynccontextmanager
    async def process(
        self,
        role: DatabaseRole = DatabaseRole.APP,
        s3: S3Settings | None = None,
        **limits: Any,
    ) -> AsyncIterator[Resources]:
        """What one process holds."""
        async with open_resources(self.settings(s3, **limits), role) as resources:
            yield resources


@dataclass(frozen=True)
class Desk:
    """One caller with every permission, working on one client's documents."""

    workplace: Workplace
    resources: Resources
    access: TenantAccess

    @property
    def client_id(self) -> UUID:
        return self.access.client_id

    async def document(self) -> Document:
        """A new document without content."""
        new = NewDocument("a.txt", "text/plain", {})
        return (await documents.create(self.resources, self.access, new)).value

    async def begin(self, document: Document, content: bytes) -> Granted:
        """A granted upload of this content."""
        return (
            await uploads.create(self.resources, self.access, document.id, intent(content))
        ).value

    async def complete(self, granted: Granted) -> Version:
        """The version that an upload becomes."""
        ticket = granted.ticket
        return (
            await uploads.complete(
                self.resources, self.access, ticket.document_id, ticket.upload_id
            )
        ).value

    async def uploaded(self, document: Document, content: bytes) -> Version:
        """The whole way."""
        granted = await self.begin(document, content)
        await send(granted, content)
        return await self.complete(granted)

    async def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """What the client's shard says, past our own code."""
        async with self.workplace.fleet.shards["shard-1"].session() as session:
            cursor = await session.execute(statement.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def blobs(self) -> list[str]:
        """Keys of this client that the object store holds."""
        store = BlobStore(self.workplace.s3)
        try:
            found = [key async for keys in store.list_keys(f"{self.client_id}/") for key in keys]
        finally:
            await store.close()
        return found


def intent(content: bytes) -> Intent:
    """To upload these bytes."""
    return Intent(len(content), hashlib.sha256(content).hexdigest())


async def send(granted: Granted, content: bytes) -> None:
    """Make the presigned requests."""
    async with httpx.AsyncClient(timeout=60) as http:
        if granted.upload is not None:
            request = granted.upload
            answer = await http.put(request.url, headers=dict(request.headers), content=content)
            assert answer.status_code == 200, answer.text
        for one in granted.parts:
            piece = content[one.part.first : one.part.first + one.part.size]
            answer = await http.put(one.request.url, content=piece)
            assert answer.status_code == 200, answer.text


async def single(content: bytes) -> AsyncIterator[bytes]:
    """A stream of one chunk."""
    yield content


def caller_of(client_id: UUID, permissions: frozenset[str] = EVERYTHING) -> TenantAccess:
    """A caller with these permissions on the client."""
    grant = Grant(role="tester", client_id=client_id, permissions=permissions)
    principal = Principal(new_id(), None, (grant,))
    return TenantAccess(Caller(principal, Origin()), client_id, "document:write")


@pytest.fixture
async def workplace(
    postgres: Postgres,
    shard_servers: tuple[Postgres, Postgres],
    blobs: BlobStore,
    s3_settings: S3Settings,
    tmp_path: Path,
) -> AsyncIterator[Workplace]:
    """A workplace of the test's own; only the bucket is everybody's."""
    key_file = tmp_path / "keys"
    create_key_file(key_file)
    async with registered_fleet(postgres, shard_servers) as fleet:
        yield Workplace(fleet, s3_settings, key_file)


@pytest.fixture
async def desk_resources(workplace: Workplace) -> AsyncIterator[Resources]:
    """What a router holds; uploads beyond 6 MiB come in parts of 5 MiB."""
    async with workplace.process(multipart_bytes=6 * 1024**2, part_bytes=5 * 1024**2) as opened:
        yield opened


@pytest.fixture
async def desk(workplace: Workplace, desk_resources: Resources) -> Desk:
    """A caller of a new client on the first shard."""
    client_id = await workplace.fleet.tenant("shard-1")
    return Desk(workplace, desk_resources, caller_of(client_id))
