"""Whether what the repositories hold is whole: pgBackRest reads all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deploy.backups.installation import Backed
from deploy.backups.tool import Tool

_PART = re.compile(r"^\s+(archiveId|backup): (\S+?),(.*)$")
_CHECKED = re.compile(r"checked: (\d+)")
_FAULTS = re.compile(r"(missing|checksum invalid|size invalid|other): (\d+)")


@dataclass(frozen=True, slots=True)
class Verified:
    """A backup, or all WAL of one cluster in one repository: files that were read, and faults."""

    cluster: str
    repository: int
    what: str
    files: int
    faults: tuple[str, ...]
    whole: bool


def verified(tool: Tool, server: Backed, repository: int) -> list[Verified]:
    """Read everything of a cluster in one repository.

    Raises:
        BackupFailed: it cannot be read at all.
    """
    arguments = [f"--repo={repository}", "--output=text", "--verbose", "verify"]
    return list(read_report(server.cluster, repository, tool.text(server, arguments)))


def read_report(cluster: str, repository: int, lines: Sequence[str]) -> Iterator[Verified]:
    """What `pgbackrest verify --output=text --verbose` says. Pure."""
    for position, line in enumerate(lines):
        if not (part := _PART.match(line)):
            continue
        checked = _CHECKED.search(part[3])
        following = lines[position + 1] if position + 1 < len(lines) else ""
        faults = tuple(
            f"{count} {what}" for what, count in _FAULTS.findall(following) if int(count)
        )
        valid = "status:" not in part[3] or "status: valid" in part[3]
        yield Verified(
            cluster=cluster,
            repository=repository,
            what="WAL" if part[1] == "archiveId" else f"backup {part[2]}",
            files=int(checked[1]) if checked else 0,
            faults=faults,
            whole=valid and not faults,
        )
