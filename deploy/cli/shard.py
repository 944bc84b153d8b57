"""`docshard shard …`: the catalog of shards, who joins and leaves it, and who leads a shard."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from deploy.cli import shard_add, shard_drain, shard_readdress, shard_remove
from deploy.cli.home import present_home
from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_one,
    show_rows,
    show_steps,
)
from deploy.cli.service import with_data
from deploy.errors import NotFound
from deploy.local.parts import existing_parts
from deploy.local.switchover import plan_switchover
from services.fleet.shards import ShardState, record_switchover, shard_states


@click.group()
def shard() -> None:
    """Look at shards, add and remove them, and say who leads one."""


shard.add_command(shard_add.prepare)
shard.add_command(shard_add.add)
shard.add_command(shard_drain.drain)
shard.add_command(shard_remove.remove)
shard.add_command(shard_readdress.readdress)


@shard.command("list")
@output_option
def list_shards(output: Format) -> None:
    """Show every shard: its clients, its part of new clients, its nodes."""
    rows = [_row(state) for state in with_data(shard_states)]
    if output is Format.TABLE:
        rows = [row | {"share": f"{row['share']:.1%}"} for row in rows]
    show_rows("shards", rows, output)


@shard.command()
@click.argument("name")
@output_option
def show(name: str, output: Format) -> None:
    """Show one shard."""
    states = {state.shard.name: state for state in with_data(shard_states)}
    if name not in states:
        raise NotFound(f"There is no shard {name}.", "", f"Shards: {', '.join(states)}")
    found = states[name]
    addresses = {node.name: f"{node.host}:{node.port}" for node in found.shard.nodes}
    row = _row(found) | {
        "created_at": found.shard.created_at,
        "addresses": addresses
        if output is Format.JSON
        else [f"{n} {a}" for n, a in addresses.items()],
    }
    show_one("shard", row, output)


@shard.command()
@click.argument("name", metavar="SHARD")
@click.option("--to", metavar="NODE", help="The new primary; else a replica that lacks nothing.")
@dry_run_option
@reason_option
@output_option
def switchover(
    name: str, *, to: str | None, dry_run: bool, reason: str | None, output: Format
) -> None:
    """Make another node of SHARD its primary, and wait for it. `global` is a SHARD here too.

    No acknowledged write is lost; writes wait or are refused for the seconds that it takes.
    """
    home = present_home()
    parts = existing_parts(home)
    with home.locked():
        change = plan_switchover(parts, name, to)
        if dry_run:
            show_steps(change.steps())
            return
        seconds = change.run()
    before, after = change.before.name, change.after.name
    click.echo(f"{after} is the primary of {name} ({seconds:.1f} s)", err=True)
    with_data(partial(record_switchover, shard=name, before=before, after=after, reason=reason))
    row = {"shard": name, "before": before, "primary": after, "seconds": round(seconds, 2)}
    show_one("switchover", row, output)


def _row(state: ShardState) -> dict[str, Any]:
    return {
        "name": state.shard.name,
        "status": state.shard.status,
        "weight": state.shard.weight,
        "clients": state.clients,
        "share": round(state.share, 4),
        "revision": state.shard.schema_revision,
        "nodes": [f"{node.name} {node.role.value}" for node in state.nodes],
    }
