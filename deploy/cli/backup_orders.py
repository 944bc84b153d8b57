"""What commands that restore have in common: the moment, the backup to begin with, the folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from deploy.backups.history import Backup, Moment, begin_with
from deploy.backups.installation import Installation
from deploy.backups.taking import history
from deploy.backups.tool import Tool
from deploy.cli.service import run_told
from deploy.errors import NotFound, Refused, UsageFault
from deploy.local.apart import has_socket
from deploy.local.engines import passable
from global_db.position import lsn_bytes
from services.fleet.point_manifests import open_manifests
from services.fleet.restore_points import RestorePoint
from services.settings import Settings

LATEST = "latest"


def moments(settings: Settings, clusters: Sequence[str], to: str) -> Mapping[str, Moment]:
    """What `--to` means, for each of these clusters.

    Raises:
        NotFound: no restore point of that name. UsageFault: the time is yet to come.
    """
    if to == LATEST:
        return dict.fromkeys(clusters, Moment())
    at = _time(to)
    if at is not None:
        return dict.fromkeys(clusters, Moment(at=at))
    point = _point(settings, to)
    return {cluster: _moment(point, cluster) for cluster in clusters}


def time_of(settings: Settings, to: str) -> datetime:
    """The same as a time: a restore point's, or now."""
    if to == LATEST:
        return datetime.now(UTC)
    return _time(to) or _point(settings, to).created_at


def chosen_backup(tool: Tool, cluster: str, moment: Moment, repository: int | None) -> Backup:
    """The backup that a restore to the moment begins with.

    Raises:
        Refused: there is none.
    """
    kept = history(tool, tool.installation.any_of(cluster)).backups
    found = begin_with(kept, moment, repository)
    if found is None:
        oldest = min((one.stopped_at for one in kept), default=None)
        raise Refused(
            f"No backup of {cluster} is older than that.",
            "Nothing was restored.",
            "There is none at all."
            if oldest is None
            else f"The oldest was whole at {oldest:%Y-%m-%dT%H:%M:%SZ}: restore to later times.",
        )
    return found


def empty_folder(into: Path, installation: Installation) -> Path:
    """The folder, when a restore may fill it; it need not exist.

    Raises:
        Refused.
    """
    if into.exists() and any(into.iterdir()):
        raise Refused(
            f"{into} is not empty.",
            "A restore never goes over anything.",
            "Name a folder that is empty or does not exist.",
        )
    if installation.user and not passable(into):
        raise Refused(
            f"The user {installation.user} cannot get to {into}.",
            "The restored servers are that user's.",
            "Name a folder below ones that everybody may pass, such as /var/lib/docshard/restored.",
        )
    if not all(has_socket(into / cluster) for cluster in installation.clusters()):
        raise Refused(
            f"{into} is too long, or has a comma: a restored server's socket is to lie below it.",
            "Sockets have names of at most 107 bytes, and a comma parts two of them.",
            "Name a folder with a shorter path, without a comma.",
        )
    return into


def make_folder(folder: Path) -> None:
    """Make it, so that the servers' user gets through to his own."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)


def _moment(point: RestorePoint, cluster: str) -> Moment:
    position = point.positions.get(cluster)
    if position is None:
        raise NotFound(f"{cluster} was not part of the fleet at the restore point {point.label}.")
    return Moment(
        point=point.name, lsn=lsn_bytes(position["lsn"]), timeline=int(position["timeline"])
    )


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if at > datetime.now(UTC):
        raise UsageFault(f"{text} is yet to come.", "", "`--to latest` restores all there is.")
    return at


def _point(settings: Settings, label: str) -> RestorePoint:
    async def find() -> RestorePoint | None:
        async with open_manifests(settings) as manifests:
            return await manifests.find(label)

    point = run_told(find())
    if point is None:
        raise NotFound(
            f"{label!r} is no time, and no restore point of that name is kept.",
            "",
            "`docshard backup list` shows restore points; a time is as in 2026-11-23T04:30:00Z.",
        )
    return point
