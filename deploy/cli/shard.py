"""`docshard shard list|show`: the catalog of shards."""

from __future__ import annotations

from typing import Any

import click

from deploy.cli.output import Format, output_option, show_one, show_rows
from deploy.cli.service import with_data
from deploy.errors import NotFound
from services.fleet.shards import ShardState, shard_states


@click.group()
def shard() -> None:
    """Look at shards."""


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
