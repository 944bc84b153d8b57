"""`docshard doctor` and backups: how old the last ones are, where pgBackRest can be asked."""

from __future__ import annotations

from datetime import UTC, datetime

from deploy.backups.installation import find_installation
from deploy.backups.taking import history
from deploy.backups.tool import Tool
from deploy.errors import OperatorError
from services.fleet.backup_doctor import judge_backups
from services.fleet.doctor import Finding
from services.settings import Settings


def backup_findings(settings: Settings) -> list[Finding]:
    """What is wrong with the backups of the clusters that have a configuration on this host."""
    if not (settings.backup.configured and any(settings.backup.folder.glob("*.conf"))):
        return []
    try:
        tool = Tool(find_installation(settings))
        newest = {name: _newest(tool, name) for name in tool.installation.clusters()}
    except OperatorError as error:
        return [Finding("backups", f"cannot be looked at: {error}", "see that buckets answer")]
    return list(judge_backups(newest, datetime.now(UTC)))


def _newest(tool: Tool, cluster: str) -> datetime | None:
    newest = history(tool, tool.installation.any_of(cluster)).newest()
    return None if newest is None else newest.stopped_at
