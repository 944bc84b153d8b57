"""Full backups by night and incremental ones by the hour: what is due is taken.

One mechanism for rendered hosts, whose timers ask four times an hour (`docshard backup due`), and
for the local fleet, whose worker does. What is due is read from the repositories: so a backup that
was missed, failed or cut off is made up for the next time, and nothing has to be remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, time, timedelta

from deploy.backups.history import Backup
from deploy.backups.installation import find_installation
from deploy.backups.taking import Kind, Wanted, history, take
from deploy.backups.tool import BackupUnderWay, Tool
from deploy.errors import OperatorError
from services.backup_settings import BackupSettings

_NIGHT = time(1, 15, tzinfo=UTC)
_ANY = timedelta(hours=1)


def due(backups: Iterable[Backup], now: datetime) -> Kind | None:
    """Which backup a repository with these lacks; None: none. Pure."""
    kept = list(backups)
    if not any(one.type == "full" and one.started_at >= _last_night(now) for one in kept):
        return "full"
    return None if any(now - one.stopped_at < _ANY for one in kept) else "incr"


def take_due(settings: BackupSettings, now: datetime, clusters: Collection[str] = ()) -> list[str]:
    """Take what is due into each repository, of these clusters or of all whose primary runs on
    this host; answers what was taken.

    One that fails does not keep the others from theirs.

    Raises:
        OperatorError: of the first that failed, when all were tried.
    """
    tool, failed = Tool(find_installation(settings)), []
    taken: list[str] = []
    for cluster in tool.installation.led_here():
        if clusters and cluster not in clusters:
            continue
        for repository in range(1, tool.installation.any_of(cluster).repositories + 1):
            try:
                taken += _take_due(tool, cluster, repository, now)
            except OperatorError as error:
                failed.append(error)
    if failed:
        raise failed[0]
    return taken


def _take_due(tool: Tool, cluster: str, repository: int, now: datetime) -> Iterator[str]:
    found = history(tool, tool.installation.any_of(cluster))
    if (why := found.unread.get(repository)) is not None:
        # What it has is unknown: to think that it has nothing would mean a full backup each time.
        raise OperatorError(f"Repository {repository} of {cluster} cannot be read: {why}.")
    kind = due((one for one in found.backups if one.repository == repository), now)
    if kind is None:
        return
    try:
        take(tool, Wanted(cluster, repository, kind))
    except BackupUnderWay:
        return  # an operator's, or another process's of this kind: what is due then is taken then
    yield f"{kind} of {cluster} into {repository}"


def _last_night(now: datetime) -> datetime:
    tonight = datetime.combine(now.astimezone(UTC).date(), _NIGHT)
    return tonight if tonight <= now else tonight - timedelta(days=1)
