"""What a tenant's reads need of the server that answers them, as the caller asks for it."""

from __future__ import annotations

from dataclasses import dataclass

from services.access.admission import TenantAccess
from services.resources import Resources
from shards.tenants import TenantReading


@dataclass(frozen=True, slots=True)
class Asked:
    """What came with a read of `operation`; `max_staleness` is in seconds."""

    operation: str
    max_staleness: int | None = None
    token: str | None = None


async def with_reading(resources: Resources, access: TenantAccess, asked: Asked) -> TenantAccess:
    """The access, with what its reads need.

    The caller's own word on staleness counts more than the configured table; a token lets a replica
    answer that has the write.

    Raises:
        InvalidRequest: the token was not given out for this client. KeysUnavailable.
    """
    reads = resources.settings.reads
    staleness: float | None = reads.staleness_of(asked.operation, access.permission)
    if asked.max_staleness is not None:
        staleness = asked.max_staleness or None
    if asked.token is None:
        return _reading(access, TenantReading(staleness))
    token = await resources.secrets.consistency.decode(access.client_id, asked.token)
    if staleness is None and asked.max_staleness is None:
        staleness = reads.token_max_staleness_seconds or None
    return _reading(access, TenantReading(staleness, token.write))


def _reading(access: TenantAccess, reading: TenantReading) -> TenantAccess:
    return TenantAccess(access.caller, access.client_id, access.permission, reading)
