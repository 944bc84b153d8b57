"""`docshard doctor` and backups: how old the last ones and the last drills are."""

from __future__ import annotations

from datetime import UTC, datetime

from deploy.backups.history import Stanza
from deploy.backups.installation import find_installation
from deploy.backups.taking import history
from deploy.backups.tool import Tool
from deploy.cli.service import with_data
from deploy.errors import OperatorError
from services.fleet.backup_doctor import judge_backups
from services.fleet.drills.goals import judge_drills
from services.fleet.drills.history import last_good
from services.fleet.finding import Finding
from services.settings import Settings


def backup_findings(settings: Settings) -> list[Finding]:
    """What is wrong with the backups of the clusters that have a configuration on this host."""
    if not (settings.backup.configured and any(settings.backup.folder.glob("*.conf"))):
        return []
    try:
        tool = Tool(find_installation(settings.backup))
        kept = {
            name: history(tool, tool.installation.any_of(name))
            for name in tool.installation.clusters()
        }
    except OperatorError as error:
        return [Finding("backups", f"cannot be looked at: {error}", "see that buckets answer")]
    now = datetime.now(UTC)
    newest = {name: _newest(one) for name, one in kept.items()}
    return [*judge_backups(newest, now), *_drills(settings, kept, now)]


def _drills(settings: Settings, kept: dict[str, Stanza], now: datetime) -> list[Finding]:
    oldest = {
        name: min((backup.stopped_at for backup in one.backups), default=None)
        for name, one in kept.items()
    }
    try:
        good = with_data(last_good)
    except OperatorError:
        return []  # whoever asks the doctor hears of the global database elsewhere
    return list(judge_drills(good, oldest, now, settings.backup.drill_days))


def _newest(stanza: Stanza) -> datetime | None:
    newest = stanza.newest()
    return None if newest is None else newest.stopped_at
