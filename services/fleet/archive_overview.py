"""Months that are archived, on their way or due: for operators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from global_db import archives, partitions
from global_db.archives import Archive
from services.failures import global_failures, tenant_failures
from services.fleet.audit_archive import due
from services.resources import Data

__all__ = ["Archive", "Overview"]


@dataclass(frozen=True, slots=True)
class Overview:
    """Every archive, and the months of clusters that are due and not begun."""

    archives: Sequence[Archive]
    due: Sequence[tuple[str, date]]


async def look(data: Data, keep_months: int, today: date | None = None) -> Overview:
    """Ask every cluster.

    Raises:
        DirectoryUnavailable, ShardUnavailable.
    """
    await data.registry.refresh()
    with global_failures():
        async with data.global_db.read() as connection:
            known = await archives.all_archives(connection)
    begun = {(one.cluster, one.month) for one in known if one.state != "dropped"}
    clusters = [data.global_db]
    clusters += [data.registry.any_cluster(shard.name) for shard in data.registry.shards()]
    found = []
    for cluster in clusters:
        with tenant_failures():
            async with cluster.read() as connection:
                months = await partitions.months(connection)
        attached = [one.month for one in months if one.attached]
        late = due(attached, today or datetime.now(UTC).date(), keep_months)
        found += [(cluster.name, month) for month in late if (cluster.name, month) not in begun]
    return Overview(known, found)


def steps(overview: Overview) -> list[str]:
    """What a run would do, in order."""
    begun = [(one.cluster, one.month, one.state) for one in overview.archives]
    coming = [(cluster, month, "new") for cluster, month in overview.due]
    return [
        f"{cluster} {month:%Y-%m}: {step}"
        for cluster, month, state in (*begun, *coming)
        for step in _remaining(state)
    ]


_STEPS = {
    "new": "record it",
    "planned": "check every row against its hash and the chain; detach the month",
    "detached": "write one object for each tenant, read each again, record it",
    "stored": "drop the table",
}


def _remaining(state: str) -> Iterator[str]:
    names = [*_STEPS]
    if state in _STEPS:
        yield from (_STEPS[name] for name in names[names.index(state) :])
