"""`docshard shard prepare|add`: a cluster becomes a shard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import click

from deploy.cli.fleet_file import load
from deploy.cli.home import present_home
from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_json,
    show_one,
    show_steps,
)
from deploy.cli.service import refused, run_told, service_settings, with_data
from deploy.errors import NotFound
from deploy.fleet.file import FleetFile
from deploy.fleet.settings import FleetSettings
from deploy.local import checklist, growth
from services.fleet import shard_add, shard_prepare
from services.fleet.finding import Finding
from services.fleet.shard_add import Added, Offer
from services.fleet.shard_checks import Verdict
from services.fleet.shards import NodeAddress
from services.fleet.unmet import Unmet
from services.pooler_settings import PoolerPasswords
from services.settings import Settings

# A cluster that was started a moment ago: its replica has yet to stream.
_PATIENCE_SECONDS = 20.0
_UNPOOLED = (
    "note: {0} is spoken to past any pooler; to have poolers, give the fleet file a [[cluster]] of"
    " that name with [[cluster.pooler]], render them, and add it with --fleet"
)


def _nodes(
    ctx: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> list[NodeAddress]:
    return [_node(value) for value in values]


def _node(value: str) -> NodeAddress:
    name, _, address = value.partition("=")
    host, _, port = address.rpartition(":")
    if not (name and host and port.isdecimal() and 0 < int(port) < 65_536):
        raise click.BadParameter(f"{value!r} is not NAME=HOST:PORT")
    return NodeAddress(name=name, host=host.strip("[]"), port=int(port))


nodes_option = click.option(
    "--node",
    "nodes",
    multiple=True,
    callback=_nodes,
    metavar="NAME=HOST:PORT",
    help="A server of a cluster that stands already; once for each. Its poolers are not used.",
)


@click.command()
@click.argument("superuser", metavar="CONNINFO")
@dry_run_option
def prepare(superuser: str, dry_run: bool) -> None:
    """Make database, roles and extensions on a bare cluster, as its superuser.

    CONNINFO is a connection string without the password, which comes from PGPASSWORD or a
    password file. Safe to repeat; roles get the passwords of this environment.
    """
    settings = service_settings()
    if dry_run:
        show_steps([f"make the database {settings.database}, docshard's roles and extensions"])
        return
    known = shard_prepare.passwords(settings, PoolerPasswords())
    run_told(shard_prepare.prepare(superuser, known, settings.database))
    roles = ", ".join(known)
    click.echo(f"prepared; {roles} get in with the passwords of this environment", err=True)


@click.command()
@click.argument("name", required=False)
@nodes_option
@click.option(
    "--fleet",
    "fleet_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A fleet file that has NAME as a cluster, with its servers and their poolers.",
)
@click.option(
    "--weight",
    type=click.FloatRange(0, 64, min_open=True),
    default=1.0,
    show_default=True,
    help="Its part of the ring, beside shards of 1.",
)
@dry_run_option
@reason_option
@output_option
def add(
    name: str | None,
    *,
    nodes: list[NodeAddress],
    fleet_file: Path | None,
    weight: float,
    dry_run: bool,
    reason: str | None,
    output: Format,
) -> None:
    """Check a cluster, make its schema and register it as a shard. It moves nobody.

    Without --node or --fleet the local fleet starts a new cluster first, beside those that run.
    From then on new clients may land there. Exit status 5 when it cannot be a shard, with every
    reason.
    """
    if (nodes or fleet_file) and name is None:
        raise click.UsageError("NAME is needed with --node and --fleet, as in shard-3.")
    if nodes and fleet_file:
        raise click.UsageError("--node and --fleet both say where its servers are: give one.")
    if name and fleet_file:
        nodes = shard_of(load(fleet_file), name)
    settings = service_settings()
    offer = Offer(name or "", nodes, weight, shard_prepare.logins(settings, shard_prepare.SERVING))
    if nodes and dry_run:
        show_verdict(with_data(partial(shard_add.examine, offer=offer)), _registering(offer.name))
    elif nodes:
        _tell(with_data(partial(shard_add.add, offer=offer, reason=reason)), output)
    else:
        _add_local(settings, offer, dry_run=dry_run, reason=reason, output=output)


def _add_local(
    settings: Settings, offer: Offer, *, dry_run: bool, reason: str | None, output: Format
) -> None:
    home = present_home()
    growth.require_own(home, settings.global_nodes)
    with home.locked():
        taken = with_data(shard_add.names_taken)
        name = growth.next_shard(home.require(), taken, offer.name or None)
        if dry_run:
            steps = [
                f"start {name} beside the others: {part}" for part in growth.planned(home, name)
            ]
            show_steps([*steps, *_registering(name)])
            return
        with checklist.shown() as shown:
            cluster = growth.grow(home, FleetSettings(), name, shown)
            offer = replace(
                offer,
                name=name,
                nodes=growth.addresses(cluster),
                free_bytes=growth.free_bytes(home.require()),
                patience_seconds=_PATIENCE_SECONDS,
            )
            with shown.part(f"{name}: checks, schema, registration"):
                added = with_data(partial(shard_add.add, offer=offer, reason=reason))
    _tell(added, output)


def shard_of(file: FleetFile, name: str) -> list[NodeAddress]:
    """A shard's nodes, as the directory writes them down.

    Raises:
        NotFound: the fleet file has no such shard.
    """
    for shard in file.model.shards:
        if shard.name == name:
            return growth.addresses(shard)
    known = ", ".join(shard.name for shard in file.model.shards)
    raise NotFound(
        f"The fleet file has no shard {name}.",
        f"It has {known}.",
        "Write a [[cluster]] of that name, render and start its servers, and run again.",
    )


def _registering(name: str) -> list[str]:
    return [
        f"check {name}: version, settings, roles, extensions, disk, clock, likeness, emptiness",
        "bring its schema to this code",
        f"register {name}, and write shard.add into the global audit log; nobody moves",
    ]


def show_verdict(verdict: Verdict, steps: list[str]) -> None:
    """What a dry run says.

    Raises:
        Refused: the cluster cannot be a shard.
    """
    _show_notes(verdict.notes)
    if verdict.refusals:
        raise refused(Unmet("The cluster cannot be a shard.", verdict.refusals))
    show_steps(steps)


def _tell(added: Added, output: Format) -> None:
    shard, command = added.shard, "docshard rebalance start && docshard rebalance watch"
    _show_notes(added.notes)
    if not any(node.pooler for node in shard.nodes):
        click.echo(_UNPOOLED.format(shard.name), err=True)
    click.echo(
        f"{shard.name} is registered: new clients may land there, nobody was moved", err=True
    )
    facts = {"status": shard.status, "weight": shard.weight, "revision": shard.schema_revision}
    nodes = {node.name: f"{node.host}:{node.port}" for node in shard.nodes}
    if output is Format.JSON:
        notes = [asdict(note) for note in added.notes]
        more = {"nodes": nodes, "notes": notes, "next_steps": [command]}
        show_json({"shard": shard.name, **facts, **more})
        return
    listed = [f"{name} {address}" for name, address in nodes.items()]
    show_one("shard", {"shard": shard.name, **facts, "nodes": listed}, output)
    click.echo(f"to move tenants there: {command}", err=True)


def _show_notes(notes: Sequence[Finding]) -> None:
    for note in notes:
        click.echo(f"note: {note.subject} {note.what}; {note.advice}", err=True)
