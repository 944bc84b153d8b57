"""Takes backups: what `docshard backup now` and `docshard up --backups` do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from deploy.backups.history import Stanza, read_info
from deploy.backups.installation import Backed, Installation, find_installation
from deploy.backups.tool import BackupFailed, Progress, Tool
from services.settings import Settings

Kind = Literal["full", "incr"]
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


def ensure_backups(settings: Settings, cluster: str) -> str:
    """Make the repositories ready for a cluster, and take the first backup where there is none.

    Answers what was done, in words.

    Raises:
        OperatorError.
    """
    tool = Tool(find_installation(settings))
    server = tool.installation.primary(cluster)
    tool.run(server, ["stanza-create"], host=server.host)
    kept = {one.repository for one in history(tool, server).backups}
    missing = [
        one for one in planned(tool.installation, [cluster], "full") if one.repository not in kept
    ]
    for wanted in missing:
        take(tool, wanted)
    return f"took {len(missing)}" if missing else ""
