"""`docshard ring …`: how the ring spreads new clients."""

from __future__ import annotations

import click

from deploy.cli.output import Format, output_option, show_rows
from deploy.cli.ring_simulate import simulate_ring
from deploy.cli.service import with_data
from services.fleet.shards import shard_states


@click.group()
def ring() -> None:
    """Look at the ring that proposes a home for each new client."""


ring.add_command(simulate_ring)


@ring.command()
@output_option
def show(output: Format) -> None:
    """Show each shard's part of the ring beside its part of today's clients."""
    states = with_data(shard_states)
    total = sum(state.clients for state in states) or 1
    rows = [
        {
            "shard": state.shard.name,
            "weight": state.shard.weight,
            "share": state.share,
            "clients": state.clients,
            "share_of_clients": state.clients / total,
        }
        for state in states
    ]
    if output is Format.TABLE:
        rows = [
            row | {name: f"{row[name]:.1%}" for name in ("share", "share_of_clients")}
            for row in rows
        ]
    show_rows("ring", rows, output)
