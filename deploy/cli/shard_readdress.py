"""`docshard shard readdress`: the servers of a shard got other addresses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from deploy.cli.fleet_file import load
from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_one,
    show_steps,
)
from deploy.cli.service import with_mover
from deploy.cli.shard_add import nodes_option, shard_of
from deploy.errors import UsageFault
from services.fleet import shard_addresses
from services.fleet.shard_addresses import Readdress, told
from services.fleet.shards import NodeAddress, Shard

fenced_option = click.option(
    "--fenced",
    multiple=True,
    metavar="NODE",
    help="A present server that gives no answer, of which you know that it is off and stays so.",
)
fleet_file_option = click.option(
    "--fleet",
    "fleet_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A fleet file that has SHARD as a cluster, with its servers and their poolers.",
)


@click.command()
@click.argument("name", metavar="SHARD")
@nodes_option
@fleet_file_option
@fenced_option
@dry_run_option
@reason_option
@output_option
def readdress(
    name: str,
    *,
    nodes: Sequence[NodeAddress],
    fleet_file: Path | None,
    fenced: tuple[str, ...],
    dry_run: bool,
    reason: str | None,
    output: Format,
) -> None:
    """Tell routers and workers where the servers of SHARD are; nobody moves.

    For hosts with other names, replicas or poolers that came or went. All servers are named, the
    primary among them; it has to be the one that serves now, or the old one has to be off. Exit
    status 5 otherwise, with every reason.
    """
    order = Readdress(name, _named(name, nodes, fleet_file), frozenset(fenced), reason)
    if dry_run:
        with_mover(lambda data, mover: shard_addresses.demand(data, mover, order))
        show_steps(
            [
                f"lock {name} in the catalog, and write its addresses: "
                + ", ".join(told(order.nodes)),
                "write shard.readdress into the global audit log",
                "routers and workers hear of it and connect anew",
            ]
        )
        return
    before, after = with_mover(lambda data, mover: shard_addresses.readdress(data, mover, order))
    show_one("shard", _row(before, after), output)


def _named(
    name: str, nodes: Sequence[NodeAddress], fleet_file: Path | None
) -> Sequence[NodeAddress]:
    if bool(nodes) == (fleet_file is not None):
        raise UsageFault("Say where its servers are: --node for each, or --fleet.")
    return nodes if fleet_file is None else shard_of(load(fleet_file), name)


def _row(before: Shard, after: Shard) -> dict[str, object]:
    return {"name": after.name, "before": told(before.nodes), "nodes": told(after.nodes)}
