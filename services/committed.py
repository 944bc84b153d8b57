"""What a committed use case answers: its value, and the token that lets a later read see it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from global_db.errors import ClusterError, ClusterUnavailable, OutcomeUnknown
from global_db.idempotency import IdempotencyKey, KeyInProgress, KeyTaken
from services.consistency import ConsistencyToken
from services.errors import Busy
from services.errors.base import ServiceError, TemporaryError
from services.failures import tenant_failures
from services.idempotency import once_in_tenant
from services.resources import Resources
from shards import idempotency as keys
from shards.tenants import (
    PRIMARY_READING,
    TenantMoving,
    TenantRead,
    TenantReading,
    TenantWrite,
    Written,
)

T = TypeVar("T")
Work = Callable[[TenantWrite], Awaitable[T]]

_log = logging.getLogger(__name__)
_SETTLING_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Committed(Generic[T]):
    """A value and its Consistency-Token."""

    value: T
    consistency_token: str


async def write(
    resources: Resources, client_id: UUID, work: Work[T], *, repeatable: bool = False
) -> Committed[T]:
    """Run `work` as one transaction of the tenant; domain errors only.

    `repeatable`: the work finds what it has done before, as with an Idempotency-Key. So it is run
    again when nobody knows whether its COMMIT took effect, and answers that outcome, or does what
    was not done (I2).
    """
    return await _written(resources, client_id, work, work if repeatable else None)


async def _written(
    resources: Resources, client_id: UUID, work: Work[T], again: Work[T] | None
) -> Committed[T]:
    """`again` is what is run when the outcome of `work` is unknown."""
    with tenant_failures():
        try:
            written = await resources.data.tenants.write(client_id, work)
        except OutcomeUnknown as unknown:
            if again is None:
                raise
            written = await _settled(resources, client_id, again, unknown)
    token = ConsistencyToken(
        client_id, written.placement.shard, written.placement.epoch, written.position
    )
    return Committed(written.value, resources.secrets.consistency.encode(token))


async def write_once(
    resources: Resources,
    client_id: UUID,
    key: IdempotencyKey,
    kept: TypeAdapter[T],
    effect: Work[T],
) -> Committed[T]:
    """Run `effect` and store its outcome, or answer what the key's first request got (I2).

    Nearly every key is new, so it is not asked for first: key, outcome and effect are filed
    together, and the primary key refuses all of it when the key is known. Only then, or when the
    effect is refused, it is claimed.

    Raises:
        IdempotencyMismatch, IdempotencyInProgress, and what every tenant's write may raise.
    """

    async def filed(tenant: TenantWrite) -> T:
        value = await effect(tenant)
        await keys.file(tenant, key, kept.dump_python(value, mode="json"))
        return value

    async def claimed(tenant: TenantWrite) -> T:
        return await once_in_tenant(tenant, key, kept, lambda: effect(tenant))

    try:
        with keys.taken():
            return await _written(resources, client_id, filed, claimed)
    except KeyTaken:
        pass
    except ServiceError as refusal:
        # What refuses it now may be what the first request did: its quota is used up by that. Busy:
        # the first one may be under way. Any other outage is one for the key, too.
        if isinstance(refusal, TemporaryError) and not isinstance(refusal, Busy):
            raise
    return await write(resources, client_id, claimed, repeatable=True)


async def _settled(
    resources: Resources, client_id: UUID, work: Work[T], unknown: OutcomeUnknown
) -> Written[T]:
    """Run the work until its outcome is known, for a bounded time.

    A failover may be under way, and the lost transaction may still hold the key.

    Raises:
        OutcomeUnknown: it could not be found out in time.
    """
    deadline = time.monotonic() + resources.settings.timing.settle_seconds
    while time.monotonic() < deadline:
        try:
            return await resources.data.tenants.write(client_id, work)
        except (ClusterUnavailable, OutcomeUnknown, KeyInProgress, TenantMoving) as error:
            _log.info("an unknown outcome is looked up again: %s", error)
            await asyncio.sleep(_SETTLING_PAUSE_SECONDS)
        except ClusterError:
            break
    raise unknown


async def read(
    resources: Resources,
    client_id: UUID,
    work: Callable[[TenantRead], Awaitable[T]],
    reading: TenantReading = PRIMARY_READING,
) -> T:
    """Run `work` as a read of the tenant; domain errors only."""
    with tenant_failures():
        return await resources.data.tenants.read(client_id, work, reading)
