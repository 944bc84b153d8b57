"""`docshard shard remove`: an empty shard leaves for ever."""

from __future__ import annotations

import click

from deploy.cli.home import present_home
from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_one,
    show_steps,
)
from deploy.cli.service import service_settings, with_mover
from deploy.errors import Refused
from deploy.local import checklist, growth
from services.fleet import shard_remove
from services.resources import Data


@click.command()
@click.argument("name", metavar="SHARD")
@click.option("--confirm", metavar="SHARD", help="The shard's name, instead of being asked for it.")
@dry_run_option
@reason_option
@output_option
def remove(
    name: str, *, confirm: str | None, dry_run: bool, reason: str | None, output: Format
) -> None:
    """Remove an empty shard for ever; its name is never used again.

    The local fleet stops its servers then; their data stays until `clean-data`. Exit status 5
    while anything is left on it, with every reason.
    """
    with_mover(lambda _, mover: _look(mover, name))
    home = present_home()
    here = growth.runs_here(home, service_settings().global_nodes, name)
    if dry_run:
        show_steps(_steps(name, here=here))
        return
    told = confirm or click.prompt(f"This is for ever. Type the shard's name ({name})", err=True)
    if told != name:
        raise Refused(f"{told} is not {name}.", "Nothing was changed.")
    before = with_mover(lambda data, mover: shard_remove.remove(data, mover, name, reason))
    click.echo(f"{name} is removed; its name is never used again", err=True)
    if here:
        with home.locked(), checklist.shown() as shown:
            left = growth.shrink(home, name, shown)
        click.echo(f"its data stays until `docshard clean-data`: {', '.join(left)}", err=True)
    show_one("shard", {"name": name, "before": before.status, "status": "removed"}, output)


async def _look(mover: Data, name: str) -> None:
    shard_remove.demand_empty(name, await shard_remove.look(mover, name))


def _steps(name: str, *, here: bool) -> list[str]:
    registry = [
        f"lock {name} in the catalog, and look once more that no client and no move is bound to it",
        f"write its status removed, and shard.remove into the global audit log; {name} is never "
        "used again",
    ]
    return (
        [*registry, "stop its servers; their data stays until `clean-data`"] if here else registry
    )
