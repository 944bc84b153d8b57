"""Use cases of operators on what clients may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from global_db import clients, quotas
from global_db.quotas import UNLIMITED, Quota
from services.audit import Event, record_global
from services.errors import NotFound
from services.failures import global_failures, tenant_failures
from services.fleet.shards import client_named
from services.identity.principal import Origin
from services.resources import Data
from shards import usage

__all__ = ["UNLIMITED", "Quota", "Standing", "change", "of_client", "standing"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a client may use, and what it uses: living documents, bytes of all versions."""

    client_id: str
    code: str
    documents: int
    max_documents: int | None
    bytes: int
    max_bytes: int | None
    requests_per_second: float | None


async def of_client(data: Data, name: str) -> Quota:
    """A client's limits.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    client = await client_named(data, name)
    with global_failures():
        async with data.global_db.read() as connection:
            return await quotas.get(connection, client.id)


async def standing(data: Data, name: str) -> Standing:
    """A client's limits beside what it stores now, counted on its shard.

    Raises:
        NotFound, ShardUnavailable, TenantMoving, DirectoryUnavailable.
    """
    client = await client_named(data, name)
    quota = await of_client(data, name)
    with global_failures():
        await data.registry.refresh()
    with tenant_failures():
        used = (await data.tenants.read(client.id, usage.report)).total
    return Standing(
        client_id=str(client.id),
        code=client.code,
        documents=used.documents,
        max_documents=quota.max_documents,
        bytes=used.bytes,
        max_bytes=quota.max_bytes,
        requests_per_second=quota.requests_per_second,
    )


async def change(
    data: Data, name: str, limits: Mapping[str, Any], reason: str | None
) -> tuple[Quota, Quota]:
    """Set these of a client's limits, by their names in `Quota`; the others stay, whoever changes
    them at the same time. Answers all before and after. Routers hear of it at once.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    client = await client_named(data, name)
    with global_failures():
        async with data.global_db.write() as connection:
            if await clients.lock(connection, client.id) is None:
                raise NotFound(f"There is no client {name}.")
            before = await quotas.get(connection, client.id)
            after = replace(before, **limits)
            if after != before:
                await quotas.put(connection, client.id, after)
                event = Event("client.quota", "client", client.id, asdict(before), asdict(after))
                await record_global(connection, Origin(reason=reason), event, client.id)
    return before, after
