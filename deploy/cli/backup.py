"""`docshard backup`: backups of every cluster, and restores beside what lives."""

from __future__ import annotations

import click

from deploy.cli.lazy import LazyGroup

_COMMANDS = {
    "now": "deploy.cli.backup_now:now",
    "list": "deploy.cli.backup_list:list_backups",
    "verify": "deploy.cli.backup_list:verify",
    "restore": "deploy.cli.backup_restore:restore",
    "adopt": "deploy.cli.backup_adopt:adopt",
    "due": "deploy.cli.backup_due:due",
    "drill": "deploy.cli.backup_drill:drill",
    "restore-client": "deploy.cli.backup_restore_client:restore_client",
}


@click.group(cls=LazyGroup, commands_at=_COMMANDS)
def backup() -> None:
    """Take, list and verify backups; restore them beside what lives.

    They are pgBackRest's. Run these commands where its configuration and the servers' files are.
    """
