"""What a tenant's reads need of the server that answers them, as the caller asks for it."""

from __future__ import annotations

from dataclasses import replace

from global_db.reading import Reading
from global_db.values import value
from services.access.admission import GlobalAccess, TenantAccess
from services.resources import Resources
from services.settings import ReadSettings
from shards.tenants import TenantReading


@value
class Asked:
    """What came with a read of `operation`; `max_staleness` is in seconds."""

    operation: str
    max_staleness: int | None = None
    token: str | None = None


async def with_reading(resources: Resources, access: TenantAccess, asked: Asked) -> TenantAccess:
    """The access, as it was admitted, with what its reads need.

    The caller's own word on staleness counts more than the configured table; a token lets a replica
    answer that has the write.

    Raises:
        InvalidRequest: the token was not given out for this client. KeysUnavailable.
    """
    reads = resources.settings.reads
    staleness = reads.staleness_of(asked.operation, access.permission)
    if asked.max_staleness is not None:
        staleness = asked.max_staleness or None
    if asked.token is None:
        return access if staleness is None else _reading(access, TenantReading(staleness))
    token = await resources.secrets.consistency.decode(access.client_id, asked.token)
    if staleness is None and asked.max_staleness is None:
        staleness = reads.token_max_staleness_seconds or None
    return _reading(access, TenantReading(staleness, token.write))


def with_global_reading(reads: ReadSettings, access: GlobalAccess, asked: Asked) -> GlobalAccess:
    """The access, with what its reads need. The caller's own word counts for every database."""
    if asked.max_staleness is not None:
        told = Reading(asked.max_staleness or None)
        return replace(access, reading=told, directory=told)
    names = (asked.operation, access.permission)
    return replace(
        access,
        reading=Reading(reads.staleness_of(*names)),
        directory=Reading(reads.staleness_of_directory(*names)),
    )


def _reading(access: TenantAccess, reading: TenantReading) -> TenantAccess:
    return replace(access, reading=reading)
