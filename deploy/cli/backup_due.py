"""`docshard backup due`: what timers of rendered hosts run."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from deploy.backups.timely import take_due
from services.backup_settings import BackupSettings


@click.command()
@click.option("--cluster", "clusters", multiple=True, help="This cluster alone; may be repeated.")
def due(clusters: tuple[str, ...]) -> None:
    """Take the backups that are due, of clusters whose primary runs on this host.

    A full one since 01:15 UTC, and any within the last hour, in each repository; what was cut off
    is made up for. It asks the repositories and its own servers, and needs no other database.
    """
    for one in take_due(BackupSettings(), datetime.now(UTC), clusters):
        click.echo(f"took the {one}", err=True)
