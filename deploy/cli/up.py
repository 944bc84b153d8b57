"""`docshard up`: the local fleet, from nothing or from whatever is left of it."""

from __future__ import annotations

import asyncio
import time

import click

from deploy.cli.home import never_in_production
from deploy.cli.output import dry_run_option, show_steps
from deploy.fleet.settings import FleetSettings
from deploy.local import checklist
from deploy.local.home import home_of
from deploy.local.parts import existing_parts
from deploy.local.secrets import ensure_secrets, load_demo
from deploy.local.summary import summary, write_user_env
from deploy.local.up import Wish, bring_up


@click.command()
@click.option("--demo/--no-demo", default=True, help="Fill the fleet with demo tenants.")
@click.option(
    "--ha",
    is_flag=True,
    help="Put every cluster under Patroni, so that it fails over by itself; stays so from then on.",
)
@click.option(
    "--backups/--no-backups",
    default=None,
    help="Archive WAL and take backups by pgBackRest, or end that; stays so from then on.",
)
@dry_run_option
def up(demo: bool, ha: bool, backups: bool | None, dry_run: bool) -> None:
    """Start a real local fleet in the background, on loopback.

    Starts what is missing, brings schemas to this code, and is quick when all is well.
    """
    never_in_production()
    settings = FleetSettings()
    home = home_of(settings)
    if dry_run:
        if home.load() is None:
            show_steps([f"make {home.path}", "start every part", "make schemas and accounts"])
        else:
            resting = (part for part in existing_parts(home).all if part.process() is None)
            show_steps([f"start {part.name}" for part in resting])
        return
    begun = time.monotonic()
    home.create()
    with home.locked():
        with checklist.shown() as shown:
            raised = asyncio.run(bring_up(home, Wish(settings, demo, ha, backups), shown))
        secrets, kept = ensure_secrets(home), load_demo(home)
        write_user_env(home, raised.fleet, secrets, kept)
    seconds = time.monotonic() - begun
    click.echo(
        f"docshard is up ({seconds:.0f} s)" if raised.changed else "docshard is up already",
        err=True,
    )
    click.echo(f"\n{summary(home, raised.fleet, secrets, kept)}")
