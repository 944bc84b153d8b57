"""The tenants under load: a key for each, documents to read, and where each lives."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

import httpx
from pydantic import BaseModel, ConfigDict

from docshard_client import Client, Docshard, Document
from loadtests.target import NoTarget, Target

READ_FROM = 200
"""Documents of a tenant that are read at most."""

SCOPES = ("client:read", "document:read", "document:write", "document:delete", "audit:read")

MARK = "load_test"
"""Metadata field of documents made by a load test, its value is the run. They come and go, so
nobody else reads them."""


class Readable(BaseModel):
    """A document with content that stays as it is while the load goes on."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    size: int
    checksum: str
    """SHA-256 of its content, hex."""


class Tenant(BaseModel):
    """One tenant under load; the key ends by itself soon after the run."""

    model_config = ConfigDict(frozen=True)

    client_id: UUID
    code: str
    shard: str
    """Where it lives when the load begins."""
    key: str
    documents: tuple[Readable, ...]


def busiest_first(tenants: list[Tenant]) -> tuple[Tenant, ...]:
    """Those with most documents are the busiest."""
    return tuple(sorted(tenants, key=lambda tenant: (-len(tenant.documents), tenant.code)))


def prepare(target: Target, seconds: float) -> tuple[Tenant, ...]:
    """Make a key for every demo tenant and look up what it can read; the busiest first.

    Raises NoTarget when the fleet has no demo tenants, DocshardError when it refuses.
    """
    # Without the environment's proxies: a fleet under load is near.
    with httpx.Client(timeout=30, trust_env=False) as http:
        admin = Docshard(target.api, http=http)
        admin.login(target.email, target.password)
        demo = [client for client in admin.list_clients() if client.metadata.get("demo")]
        if not demo:
            raise NoTarget(f"{target.api} has no demo tenants. `make up` makes them.")
        end = datetime.now(UTC) + timedelta(seconds=seconds, minutes=20)
        tenants = [_tenant(admin, client, end) for client in demo]
    filled = [tenant for tenant in tenants if tenant.documents]
    if not filled:
        raise NoTarget(f"The demo tenants of {target.api} are empty. `make up` fills them.")
    return busiest_first(filled)


def _tenant(admin: Docshard, client: Client, end: datetime) -> Tenant:
    readable = (
        _readable(document)
        for document in admin.list_documents(client.id)
        if document.current_version > 0 and MARK not in document.metadata
    )
    documents = tuple(islice(readable, READ_FROM))
    return Tenant(
        client_id=client.id,
        code=client.code,
        shard=admin.get_placement(client.id).shard,
        key=admin.create_api_key(client.id, "load test", SCOPES, end).key,
        documents=documents,
    )


def _readable(document: Document) -> Readable:
    return Readable(
        id=document.id,
        name=document.original_name,
        size=document.size or 0,
        checksum=document.checksum_sha256 or "",
    )
