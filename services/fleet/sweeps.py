"""What the worker does now and then: partitions ahead, and what has expired.

Every one of these is safe to run twice and by several workers at once. A shard that does not
answer is reported and does not stop the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from global_db import idempotency as global_keys
from global_db import login_failures, partitions, password_links, sessions
from global_db.cluster import Cluster
from global_db.errors import ClusterError
from services.errors import ServiceError
from services.failures import tenant_failures
from services.fleet import audit_months
from services.fleet.audit_archive import Archiving
from services.resources import Resources
from services.tenant.content import remove_abandoned
from services.tenant.purge import remove_blob
from shards import idempotency as tenant_keys
from shards import purges, uploads
from shards.purges import PurgedBlob
from shards.registry import ShardBehind
from shards.uploads import Upload

_log = logging.getLogger(__name__)

MONTHS_AHEAD = 3
_BATCH = 200
_FAILURES_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Swept:
    """How many things were done, and which shards could not be asked."""

    done: int
    failed: tuple[str, ...] = ()


async def make_partitions(resources: Resources, today: date | None = None) -> Swept:
    """Make the audit partitions of this month and the next three, everywhere.

    Rows that came before their month stand in DEFAULT and would be in its way: they are given
    theirs first. Where that cannot be now, the month waits.
    """
    months = months_ahead(today or datetime.now(UTC).date(), MONTHS_AHEAD)

    async def make(cluster: Cluster) -> int:
        blocked = await audit_months.settle(resources.data, cluster)
        return sum(
            [await _make_partition(cluster, month) for month in months if month not in blocked]
        )

    return await _everywhere([resources.data.global_db, *_shards(resources)], make)


async def make_first_partitions(cluster: Cluster, today: date) -> None:
    """Make the same months on a shard that is new: it has no rows yet that could stand in the way.

    The worker would find it within the hour, and the doctor meanwhile that it lacks them.
    """
    for month in months_ahead(today, MONTHS_AHEAD):
        await _make_partition(cluster, month)


async def archive_months(
    resources: Resources,
    today: date | None = None,
    told: Callable[[str], None] = _log.debug,
    reason: str | None = None,
) -> Swept:
    """Archive the months of audit logs that the policy no longer keeps, everywhere."""
    keep_months = resources.settings.audit.keep_months

    async def archive(cluster: Cluster) -> int:
        archiving = Archiving(
            resources, cluster, lambda step: told(f"{cluster.name}: {step}"), reason
        )
        return await archiving.run(today or datetime.now(UTC).date(), keep_months)

    return await _everywhere([resources.data.global_db, *_shards(resources)], archive)


async def remove_expired_uploads(resources: Resources) -> Swept:
    """Remove what uploads left behind that were never finished."""

    async def sweep(cluster: Cluster) -> int:
        async with cluster.read() as connection:
            found = await uploads.expired(connection, _BATCH)
        return sum([await _remove(resources, upload) for upload in found])

    return await _everywhere(_shards(resources), sweep)


async def remove_purged_blobs(resources: Resources) -> Swept:
    """Remove the blobs of purged documents that no backup can bring back any more."""

    async def sweep(cluster: Cluster) -> int:
        async with cluster.read() as connection:
            found = await purges.due(connection, _BATCH)
        return sum([await _remove_blob(resources, blob) for blob in found])

    return await _everywhere(_shards(resources), sweep)


async def remove_expired_idempotency_keys(resources: Resources) -> Swept:
    """Forget outcomes that nobody may ask for any more."""

    async def sweep(cluster: Cluster) -> int:
        async with cluster.read() as connection:
            tenants = await tenant_keys.tenants_with_expired(connection, _BATCH)
        return sum([await _forget_outcomes(resources, client_id) for client_id in tenants])

    async def sweep_global(cluster: Cluster) -> int:
        async with cluster.write() as connection:
            return await global_keys.remove_expired(connection)

    on_shards = await _everywhere(_shards(resources), sweep)
    on_global = await _everywhere([resources.data.global_db], sweep_global)
    return Swept(on_shards.done + on_global.done, on_shards.failed + on_global.failed)


async def remove_expired_sessions(resources: Resources) -> Swept:
    """Forget refresh tokens, password links and failed logins that mean nothing any more."""

    async def sweep(cluster: Cluster) -> int:
        async with cluster.write() as connection:
            tokens = await sessions.remove_expired(connection)
            links = await password_links.remove_expired(connection)
            return tokens + links + await login_failures.remove_old(connection, _FAILURES_KEPT)

    return await _everywhere([resources.data.global_db], sweep)


def months_ahead(today: date, ahead: int) -> list[date]:
    """The first days of this month and of so many after it."""
    first = today.year * 12 + today.month - 1
    return [date(month // 12, month % 12 + 1, 1) for month in range(first, first + ahead + 1)]


async def _make_partition(cluster: Cluster, month: date) -> bool:
    async def make() -> bool:
        async with cluster.write() as connection:
            return await partitions.make(connection, month)

    return await audit_months.patiently(make)


async def _remove(resources: Resources, upload: Upload) -> bool:
    try:
        return await remove_abandoned(resources, upload)
    except ServiceError as error:
        _log.warning("upload %s stays for the next sweep: %s", upload.id, error)
        return False


async def _remove_blob(resources: Resources, blob: PurgedBlob) -> bool:
    try:
        await remove_blob(resources, blob)
    except ServiceError as error:
        _log.warning("the purged blob %s stays for the next sweep: %s", blob.s3_key, error)
        return False
    return True


async def _forget_outcomes(resources: Resources, client_id: UUID) -> int:
    try:
        with tenant_failures():
            written = await resources.data.tenants.write(client_id, tenant_keys.remove_expired)
    except ServiceError as error:
        _log.warning("the outcomes of %s stay for the next sweep: %s", client_id, error)
        return 0
    return written.value


def _shards(resources: Resources) -> list[Cluster]:
    registry = resources.data.registry
    found = []
    for shard in registry.shards():
        try:
            found.append(registry.cluster(shard.name))
        except ShardBehind as error:
            _log.info("not swept before its migration: %s", error)
    return found


async def _everywhere(clusters: list[Cluster], work: Callable[[Cluster], Awaitable[int]]) -> Swept:
    outcomes = await asyncio.gather(*(_guarded(cluster, work) for cluster in clusters))
    failed = tuple(
        cluster.name for cluster, done in zip(clusters, outcomes, strict=True) if done is None
    )
    return Swept(sum(done for done in outcomes if done is not None), failed)


async def _guarded(cluster: Cluster, work: Callable[[Cluster], Awaitable[int]]) -> int | None:
    try:
        return await work(cluster)
    except (ClusterError, ServiceError) as error:
        _log.warning("%s is left for the next sweep: %s", cluster.name, error)
        return None
