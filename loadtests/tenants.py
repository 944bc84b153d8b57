"""The tenants under load: a key for each, and documents to read."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Self
from uuid import UUID

import httpx
from pydantic import BaseModel, ConfigDict

from docshard_client import Client, Docshard
from loadtests.target import NoTarget, Target

READ_FROM = 200
"""Documents of a tenant that are read at most."""

SCOPES = ("client:read", "document:read", "document:write", "document:delete", "audit:read")

MARK = "load_test"
"""Metadata field of documents made by a load test. They come and go, so nobody else reads them."""


class Tenant(BaseModel):
    """One tenant under load; the key ends by itself soon after the run."""

    model_config = ConfigDict(frozen=True)

    client_id: UUID
    code: str
    key: str
    documents: tuple[UUID, ...]


class Scenario(BaseModel):
    """What the locust process is told: tenants, the busiest first, and how busy each is."""

    model_config = ConfigDict(frozen=True)

    tenants: tuple[Tenant, ...]

    @property
    def weights(self) -> list[float]:
        """Zipf: the second tenant half as busy as the first, the third a third, and so on."""
        return [1 / rank for rank in range(1, len(self.tenants) + 1)]

    @classmethod
    def of(cls, tenants: list[Tenant]) -> Self:
        """A scenario in which the tenants with most documents are the busiest."""
        ordered = sorted(tenants, key=lambda tenant: (-len(tenant.documents), tenant.code))
        return cls(tenants=tuple(ordered))


def prepare(target: Target, seconds: float) -> Scenario:
    """Make a key for every demo tenant and look up what it can read.

    Raises NoTarget when the fleet has no demo tenants, DocshardError when it refuses.
    """
    # Without the environment's proxies: a fleet under load is near.
    with httpx.Client(timeout=30, trust_env=False) as http:
        admin = Docshard(target.api, http=http)
        admin.login(target.email, target.password)
        demo = [client for client in admin.list_clients() if client.metadata.get("demo")]
        if not demo:
            raise NoTarget(f"{target.api} has no demo tenants. `make up` makes them.")
        end = datetime.now(UTC) + timedelta(seconds=seconds, minutes=10)
        tenants = [_tenant(admin, client, end) for client in demo]
    if not any(tenant.documents for tenant in tenants):
        raise NoTarget(f"The demo tenants of {target.api} are empty. `make up` fills them.")
    return Scenario.of(tenants)


def _tenant(admin: Docshard, client: Client, end: datetime) -> Tenant:
    readable = (
        document.id
        for document in admin.list_documents(client.id)
        if document.current_version > 0 and MARK not in document.metadata
    )
    documents = tuple(islice(readable, READ_FROM))
    key = admin.create_api_key(client.id, "load test", SCOPES, end)
    return Tenant(client_id=client.id, code=client.code, key=key.key, documents=documents)
