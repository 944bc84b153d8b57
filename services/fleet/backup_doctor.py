"""What is wrong with archiving, restore points and backups: facts, judged by pure rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from services.backup_settings import BackupSettings
from services.errors import DirectoryUnavailable
from services.fleet.doctor import ClusterFacts
from services.fleet.finding import Finding
from services.fleet.restore_points import RestorePoint, list_points
from services.resources import Data

ARCHIVE_AGE = timedelta(minutes=15)
"""A cluster at rest archives a segment with each restore point, every five minutes; a busy one each
minute at the latest."""
BACKUP_AGE = timedelta(hours=26)
"""Full ones are taken by night, incremental ones by the hour."""
_POINTS_MISSED = 3
UNCONFIGURED = "backups are not configured: a lost cluster stays lost (docs/backups.md)"


async def examine(
    data: Data, settings: BackupSettings, clusters: Sequence[ClusterFacts]
) -> list[Finding]:
    """Judge what servers say of archiving, and the age of the last restore point."""
    findings = list(judge_archiving(clusters, configured=settings.configured))
    if settings.configured:
        try:
            points = await list_points(data, 1)
        except DirectoryUnavailable:
            return findings
        findings += judge_points(points, settings.point_seconds, datetime.now(UTC))
    return findings


def judge_archiving(clusters: Sequence[ClusterFacts], *, configured: bool) -> Iterator[Finding]:
    """What primaries say of their WAL."""
    for cluster in clusters:
        for name, server in cluster.servers.items():
            if server is None or server.in_recovery:
                continue
            if configured and not server.archives:
                what = "does not archive its WAL: a restore loses all since the last backup"
                yield Finding(name, what, "set archive_mode and archive_command, and restart it")
            elif server.archives and server.archiving_fails:
                what = "fails to archive its WAL, which piles up on its disk"
                yield Finding(name, what, "its log says why: see that the repositories answer")
            elif server.archives and _old(server.archived_seconds_ago):
                ago = server.archived_seconds_ago
                since = "yet" if ago is None else f"for {ago / 60:.0f} minutes"
                what = f"has archived no WAL {since}"
                yield Finding(name, what, "look at its log, and at archive_timeout")


def judge_points(
    points: Sequence[RestorePoint], every_seconds: float, now: datetime
) -> Iterator[Finding]:
    """Whether the worker makes restore points."""
    late = timedelta(seconds=_POINTS_MISSED * every_seconds)
    if not points or now - points[0].created_at > late:
        last = f"the last is of {points[0].created_at:%Y-%m-%d %H:%M} UTC" if points else "none yet"
        yield Finding("restore points", f"are not made: {last}", "see that `docshard worker` runs")


def judge_backups(newest: Mapping[str, datetime | None], now: datetime) -> Iterator[Finding]:
    """Whether each cluster's last backup is young; by cluster, None: there is none."""
    for cluster, at in newest.items():
        if at is None:
            yield Finding(cluster, "has no backup", "`docshard backup now --full`")
        elif now - at > BACKUP_AGE:
            what = f"was last backed up at {at:%Y-%m-%d %H:%M} UTC"
            yield Finding(cluster, what, "see that its timers run; `docshard backup now`")


def _old(seconds: float | None) -> bool:
    return seconds is None or timedelta(seconds=seconds) > ARCHIVE_AGE
