"""`docshard shard remove`: an empty shard leaves for ever."""

from __future__ import annotations

from functools import partial

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
from deploy.cli.service import service_settings, with_data, with_mover
from deploy.errors import Refused
from deploy.local import checklist, growth
from services.fleet import shard_remove
from services.resources import Data

_LOCAL_STEPS = ("stop its servers, and let etcd forget them; their data stays until `clean-data`",)


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

    The local fleet stops its servers then; their data stays until `clean-data`. What broke off
    goes on by the same command. Exit status 5 while anything is left on it, with every reason.
    """
    home = present_home()
    here = growth.runs_here(home, service_settings().global_nodes, name)
    # An attempt that broke off behind the catalog's COMMIT has left its servers.
    begun = here and with_data(partial(shard_remove.was_removed, name=name))
    if not begun:
        with_mover(lambda _, mover: _look(mover, name))
    if dry_run:
        show_steps([*([] if begun else _registry_steps(name)), *(_LOCAL_STEPS if here else ())])
        return
    told = confirm or click.prompt(f"This is for ever. Type the shard's name ({name})", err=True)
    if told != name:
        raise Refused(f"{told} is not {name}.", "Nothing was changed.")
    before = "removed" if begun else _remove(name, reason)
    if here:
        with home.locked(), checklist.shown() as shown:
            left = growth.shrink(home, name, shown)
        click.echo(f"its data stays until `docshard clean-data`: {', '.join(left)}", err=True)
    show_one("shard", {"name": name, "before": before, "status": "removed"}, output)


def _remove(name: str, reason: str | None) -> str:
    before = with_mover(lambda data, mover: shard_remove.remove(data, mover, name, reason))
    click.echo(f"{name} is removed; its name is never used again", err=True)
    return before.status


async def _look(mover: Data, name: str) -> None:
    shard_remove.demand_empty(name, await shard_remove.look(mover, name))


def _registry_steps(name: str) -> list[str]:
    return [
        f"lock {name} in the catalog, and look once more that no client and no move is bound to it",
        f"write its status removed, and shard.remove into the global audit log; {name} is never "
        "used again",
    ]
