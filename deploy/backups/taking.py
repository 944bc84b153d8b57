"""Takes backups: what `docshard backup now` and `docshard up --backups` do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

from deploy.backups.history import Stanza, read_info
from deploy.backups.installation import Backed, Installation, find_installation
from deploy.backups.tool import BackupFailed, BackupUnderWay, Progress, Tool
from services.settings import Settings

Kind = Literal["full", "incr"]
T = TypeVar("T")
_PATIENCE_SECONDS = 3600.0
_PAUSE_SECONDS = 2.0
_CUT_OFF = "is not later than latest backup label"


@dataclass(frozen=True)
class Wanted:
    """One backup to take: of a cluster, into a repository."""

    cluster: str
    repository: int
    kind: Kind


def planned(installation: Installation, clusters: list[str], kind: Kind) -> Iterator[Wanted]:
    """A backup of each of these clusters into each repository: the second is no copy of the first.

    Raises:
        NotFound: one is not backed up from this host.
    """
    for cluster in clusters:
        for repository in range(1, installation.any_of(cluster).repositories + 1):
            yield Wanted(cluster, repository, kind)


def take(tool: Tool, wanted: Wanted, told: Progress | None = None) -> None:
    """Take it; a repository without any backup gets a full one, whatever was wanted.

    Raises:
        OperatorError: it failed; what was there before is as it was.
    """
    server = tool.installation.primary(wanted.cluster)
    arguments = [f"--repo={wanted.repository}", f"--type={wanted.kind}", "backup"]
    try:
        tool.run(server, arguments, told=told, host=server.host)
    except BackupFailed as error:
        if wanted.kind == "full" or _CUT_OFF not in error.means:
            raise
        # The store went away when a full backup had its name and was not counted yet: only a full
        # one may follow it.
        arguments[1] = "--type=full"
        tool.run(server, arguments, told=told, host=server.host)


def history(tool: Tool, server: Backed) -> Stanza:
    """What the repositories hold of a server's cluster.

    Raises:
        BackupFailed.
    """
    (stanza,) = read_info(tool.json(server, "--output=json", "info"))
    if stanza.unread and not stanza.backups:
        raise BackupFailed(
            f"No repository of {server.cluster} can be read.",
            "\n".join(f"repository {number}: {why}" for number, why in stanza.unread.items()),
            "See that the store answers, and that keys and pass phrases are those of the backups.",
        )
    return stanza


def renew_backups(settings: Settings, cluster: str) -> str:
    """Begin anew after a restored cluster has taken this one's place: a full backup into each
    repository, from which alone its new timeline can be restored.

    The stanza stays: pgBackRest knows a cluster by its system identifier, which a copy has, too. It
    is brought up to date where that is another one.

    Raises:
        OperatorError.
    """
    tool = Tool(find_installation(settings.backup))
    server = tool.installation.primary(cluster)
    for command in ("stanza-create", "stanza-upgrade"):
        _patiently(partial(tool.run, server, [command], host=server.host))
    wanted = list(planned(tool.installation, [cluster], "full"))
    for one in wanted:
        _patiently(partial(take, tool, one))
    return f"took {len(wanted)}"


def ensure_backups(settings: Settings, cluster: str) -> str:
    """Make the repositories ready for a cluster, and take the first backup where there is none.

    Answers what was done, in words.

    Raises:
        OperatorError.
    """
    tool = Tool(find_installation(settings.backup))
    server = tool.installation.primary(cluster)
    _patiently(partial(tool.run, server, ["stanza-create"], host=server.host))
    taken = 0
    for wanted in planned(tool.installation, [cluster], "full"):
        taken += _patiently(partial(_take_first, tool, server, wanted))
    return f"took {taken}" if taken else ""


def _take_first(tool: Tool, server: Backed, wanted: Wanted) -> bool:
    """Whether it had to be taken: the worker may have been faster."""
    missing = all(one.repository != wanted.repository for one in history(tool, server).backups)
    if missing:
        take(tool, wanted)
    return missing


def _patiently(work: Callable[[], T]) -> T:
    """Do it when nobody else takes a backup of the cluster here, as the worker may at any time.

    Raises:
        BackupUnderWay: that takes longer than anybody waits. OperatorError: as the work does.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return work()
        except BackupUnderWay:
            if time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_SECONDS)
