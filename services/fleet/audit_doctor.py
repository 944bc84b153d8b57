"""What is wrong with the months of audit logs and their archives: facts, judged by pure rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

from global_db import archives, partitions
from global_db.archives import Archive
from global_db.cluster import Cluster
from global_db.errors import ClusterError
from global_db.partitions import Month
from services.fleet.audit_archive import due
from services.fleet.finding import Finding
from services.resources import Data
from shards.registry import ShardBehind

__all__ = ["Archive", "Finding", "Month"]

_SLOW = timedelta(hours=12)
"""How long one step may take before it counts as stuck."""
_LENIENCE = timedelta(days=2)
"""How long a month may be due before somebody has to look."""


async def examine(data: Data, keep_months: int) -> list[Finding]:
    """Ask every cluster for its months, and judge; who does not answer is the doctor's affair."""
    try:
        async with data.global_db.read() as connection:
            known = await archives.all_archives(connection)
    except ClusterError:
        return []
    clusters = [data.global_db, *_migrated(data)]
    months = {
        cluster.name: found for cluster in clusters if (found := await _months(cluster)) is not None
    }
    return [*judge(known, months, keep_months, datetime.now(UTC))]


def _migrated(data: Data) -> Iterator[Cluster]:
    for shard in data.registry.shards():
        with suppress(ShardBehind):
            yield data.registry.cluster(shard.name)


async def _months(cluster: Cluster) -> list[Month] | None:
    try:
        async with cluster.read() as connection:
            return await partitions.months(connection)
    except ClusterError:
        return None


def judge(
    known: Sequence[Archive], months: Mapping[str, Sequence[Month]], keep_months: int, now: datetime
) -> Iterator[Finding]:
    """What is stuck, what nobody has begun."""
    living = [archive for archive in known if archive.state != "dropped"]
    for archive in living:
        yield from _judge_archive(archive, now)
    for cluster, found in months.items():
        begun = {archive.month for archive in living if archive.cluster == cluster}
        attached = [month.month for month in found if month.attached]
        late = set(due(attached, (now - _LENIENCE).date(), keep_months)) - begun
        if late:
            what = f"keeps {_names(late)}, older than {keep_months} months"
            yield Finding(cluster, what, "see that `docshard worker` runs")
        lost = {month.month for month in found if not month.attached} - begun
        if lost:
            what = f"has detached {_names(lost)}, and no archive knows of it"
            yield Finding(cluster, what, "attach or archive it by hand: nobody reads it any more")


def _judge_archive(archive: Archive, now: datetime) -> Iterator[Finding]:
    what = f"its audit log of {archive.month:%Y-%m} stays {archive.state}"
    if archive.problem is not None:
        advice = "mend that; the worker then goes on, or `docshard audit archive`"
        yield Finding(archive.cluster, f"{what}: {archive.problem}", advice)
    elif now - archive.updated_at > _SLOW:
        since = f"{archive.updated_at:%Y-%m-%d %H:%M} UTC"
        advice = "look at the worker's log: see that it reaches this cluster and the object store"
        yield Finding(archive.cluster, f"{what} since {since}", advice)


def _names(months: set[date]) -> str:
    return ", ".join(f"{month:%Y-%m}" for month in sorted(months))
