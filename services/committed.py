"""What a committed use case answers: its value, and the token that lets a later read see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from services.consistency import ConsistencyToken
from services.failures import tenant_failures
from services.resources import Resources
from shards.tenants import TenantRead, TenantWrite

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Committed(Generic[T]):
    """A value and its Consistency-Token."""

    value: T
    consistency_token: str


async def write(
    resources: Resources, client_id: UUID, work: Callable[[TenantWrite], Awaitable[T]]
) -> Committed[T]:
    """Run `work` as one transaction of the tenant; domain errors only."""
    with tenant_failures():
        written = await resources.data.tenants.write(client_id, work)
    token = ConsistencyToken(
        client_id,
        written.placement.shard,
        written.placement.epoch,
        written.position.timeline,
        written.position.lsn,
    )
    return Committed(written.value, resources.secrets.consistency.encode(token))


async def read(
    resources: Resources, client_id: UUID, work: Callable[[TenantRead], Awaitable[T]]
) -> T:
    """Run `work` as a read of the tenant; domain errors only."""
    with tenant_failures():
        return await resources.data.tenants.read(client_id, work)
