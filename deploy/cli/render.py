"""`docshard render`: configuration of real servers from the fleet file."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.cli.fleet_file import fleet_option, load, refusals, rendered_option, write_files
from deploy.cli.output import dry_run_option
from deploy.errors import NotFound
from deploy.rendering.targets import TARGETS


@click.command()
@click.argument("target", type=click.Choice(sorted(TARGETS)))
@fleet_option
@rendered_option
@dry_run_option
def render(target: str, fleet_file: Path, into: Path, *, dry_run: bool) -> None:
    """Write the configuration of TARGET below a folder, and print what was written.

    Equal fleet files give equal bytes. No secret is written: files say where each is read from.
    """
    with refusals():
        files = TARGETS[target](load(fleet_file))
    if not files:
        raise NotFound(
            f"{fleet_file} names nothing that {target} runs.",
            "Servers without patroni_port are taken for somebody else's, managed ones, say; without"
            " a [backups] table nothing is backed up.",
        )
    write_files(files, into, dry_run=dry_run)
