"""Full backups by night and incremental ones by the hour, where no timers take them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from deploy.backups.history import Backup
from deploy.backups.installation import find_installation
from deploy.backups.taking import Kind, Wanted, history, take
from deploy.backups.tool import Tool
from deploy.errors import OperatorError
from services.settings import Settings

_FULL = timedelta(hours=24)
_ANY = timedelta(hours=1)


def due(backups: Iterable[Backup], now: datetime) -> Kind | None:
    """Which backup a repository with these lacks; None: none. Pure."""
    kept = list(backups)
    if not any(one.type == "full" and now - one.stopped_at < _FULL for one in kept):
        return "full"
    return None if any(now - one.stopped_at < _ANY for one in kept) else "incr"


def take_due(settings: Settings, now: datetime) -> list[str]:
    """Take what is due of every cluster into each repository; answers what was taken.

    One that fails does not keep the others from theirs.

    Raises:
        OperatorError: of the first that failed, when all were tried.
    """
    tool = Tool(find_installation(settings))
    taken, failed = [], []
    for wanted in _wanted(tool, now):
        try:
            take(tool, wanted)
            taken.append(f"{wanted.kind} of {wanted.cluster} into {wanted.repository}")
        except OperatorError as error:
            failed.append(error)
    if failed:
        raise failed[0]
    return taken


def _wanted(tool: Tool, now: datetime) -> Iterator[Wanted]:
    for cluster in tool.installation.clusters():
        server = tool.installation.any_of(cluster)
        kept = history(tool, server).backups
        for repository in range(1, server.repositories + 1):
            kind = due((one for one in kept if one.repository == repository), now)
            if kind is not None:
                yield Wanted(cluster, repository, kind)
