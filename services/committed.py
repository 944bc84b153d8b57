"""What a committed use case answers: its value, and the token that lets a later read see it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from global_db.errors import ClusterError, ClusterUnavailable, OutcomeUnknown
from global_db.idempotency import KeyInProgress
from services.consistency import ConsistencyToken
from services.failures import tenant_failures
from services.resources import Resources
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
    with tenant_failures():
        try:
            written = await resources.data.tenants.write(client_id, work)
        except OutcomeUnknown as unknown:
            if not repeatable:
                raise
            written = await _settled(resources, client_id, work, unknown)
    token = ConsistencyToken(
        client_id, written.placement.shard, written.placement.epoch, written.position
    )
    return Committed(written.value, resources.secrets.consistency.encode(token))


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
