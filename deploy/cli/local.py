"""`docshard down|status|env|clean-data`: the local fleet as a whole."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from deploy.cli.home import present_home
from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    show_json,
    show_rows,
    show_steps,
)
from deploy.errors import Exit, NotFound, Refused
from deploy.fleet.environment import parse_environment
from deploy.local import checklist
from deploy.local.down import delete, end_strays, take_down
from deploy.local.parts import existing_parts
from deploy.local.status import status_of


@click.command()
@dry_run_option
def down(dry_run: bool) -> None:
    """Stop the local fleet; its data stays."""
    home = present_home()
    if home.load() is None:
        # The folder may have been deleted under a running fleet.
        left = 0 if dry_run else end_strays(home)
        click.echo(f"no fleet in {home.path}; {left} processes were left of one", err=True)
        return
    if dry_run:
        running = (part for part in existing_parts(home).all if part.process())
        show_steps([f"stop {part.name}" for part in running])
        return
    with home.locked(), checklist.shown() as shown:
        stopped = take_down(home, shown)
    click.echo("docshard is down" if stopped else "docshard was down already", err=True)


@click.command()
@output_option
@click.pass_context
def status(ctx: click.Context, output: Format) -> None:
    """Show every part of the local fleet, its present role and where it listens.

    Exit status 6 when a part is not up.
    """
    parts = existing_parts(present_home())
    rows = [asdict(row) for row in status_of(parts)]
    if output is Format.JSON:
        site = parts.site
        show_json({"home": str(site.home.path), "data": str(site.state.data), "nodes": rows})
    else:
        show_rows("nodes", rows, output)
        click.echo(f"\nhome {parts.site.home.path}   data {parts.site.state.data}")
    ctx.exit(Exit.OK if all(row["condition"] == "up" for row in rows) else Exit.FINDINGS)


@click.command()
@output_option
def env(output: Format) -> None:
    """Print the file to source: the API's address and accounts to use it."""
    home = present_home()
    home.require()
    if not home.user_env.exists():
        raise NotFound(
            "The fleet was never completely up.", "", "`docshard up` ends by writing the file."
        )
    text = home.user_env.read_text()
    if output is Format.JSON:
        show_json({"env": parse_environment(text)})
    else:
        click.echo(text, nl=False)


@click.command("clean-data")
@dry_run_option
@click.option("--confirm", metavar="HOME", help="The home's folder, instead of being asked for it.")
def clean_data(dry_run: bool, confirm: str | None) -> None:
    """Stop the local fleet and delete all its data. This cannot be undone."""
    home = present_home()
    if not home.path.exists():
        click.echo(f"nothing in {home.path}", err=True)
        return
    state = home.require()
    if dry_run:
        show_steps(["stop every part", f"delete {state.data}", f"delete {home.path}"])
        return
    named = confirm or click.prompt(
        f"All data goes. Type the folder's path ({home.path})", err=True
    )
    if Path(named).expanduser().absolute() != home.path:
        raise Refused(f"{named} is not {home.path}.", "Nothing was deleted.", "")
    with home.locked(), checklist.shown() as shown:
        delete(home, shown)
    click.echo(f"deleted {home.path}", err=True)
