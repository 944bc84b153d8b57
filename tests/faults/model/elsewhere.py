"""Another worker of the router, whom nobody tells anything.

It hears no announcement and believes what it knows of a placement for a minute: of a tenant that
has moved it is wrong, and the shards must say so (I3). It is asked without HTTP: many can ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

from services.access.reads import Asked, with_reading
from services.errors import NotFound, TemporaryError
from services.ids import new_id
from services.resources import Resources
from services.tenant import documents
from services.tenant.documents import Document
from shards import documents as rows
from shards.placement import CacheLimits
from shards.tenants import FenceLimits, Tenants, TenantWrite, Written
from tests.faults.model.beliefs import Tenant
from tests.integration.databases import Bounds
from tests.integration.desk import caller_of

T = TypeVar("T")
DEAF = Bounds(cache=CacheLimits(lease_seconds=60.0))
_PATIENCE_SECONDS = 60.0
_AGAIN_SECONDS = 0.05

Linger = Callable[[], Awaitable[None]]


class Lingering(Tenants):
    """Changes whose transactions stay open when all is done but the COMMIT."""

    def __init__(self, resources: Resources, linger: Linger) -> None:
        super().__init__(resources.data.placements, resources.data.registry, FenceLimits())
        self._linger = linger

    async def write(
        self, client_id: UUID, work: Callable[[TenantWrite], Awaitable[T]]
    ) -> Written[T]:
        async def slowly(tenant: TenantWrite) -> T:
            value = await work(tenant)
            # What was sent without waiting has been done when something else is answered.
            await rows.lock(tenant, new_id())
            await self._linger()
            return value

        return await super().write(client_id, slowly)


def lingering(resources: Resources, linger: Linger) -> Resources:
    """The same worker, for a change that lingers."""
    data = replace(resources.data, tenants=Lingering(resources, linger))
    return replace(resources, data=data)


async def answered(tenant: Tenant, send: Callable[[], Awaitable[T]]) -> T | None:
    """The answer to what may be sent again until it has one; None when the tenant is turned away
    meanwhile."""
    deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while True:
        refused = bool(tenant.refused_with())
        try:
            return await send()
        except NotFound as error:
            if refused or tenant.refused_with():
                return None
            raise AssertionError(f"tenant {tenant.number}: not_found") from error
        except TemporaryError as error:
            late = asyncio.get_running_loop().time() > deadline
            assert not late, f"tenant {tenant.number}: no answer in time: {error!r}"
        await asyncio.sleep(_AGAIN_SECONDS)


async def seen(resources: Resources, tenant: Tenant, document: UUID, token: str) -> Document | None:
    """A document as it is behind the write that gave this token; None as `answered`."""

    async def send() -> Document:
        asked = Asked("get_document", token=token)
        access = await with_reading(resources, caller_of(UUID(tenant.id)), asked)
        return await documents.get(resources, access, document)

    return await answered(tenant, send)
