"""`docshard backup adopt`: what was restored beside what lives is put into use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import orjson

from deploy.backups.installation import find_installation
from deploy.cli.backup_adopted import Adopted, show_adopted
from deploy.cli.backup_programs import find_programs
from deploy.cli.backup_progress import SHOWN
from deploy.cli.fleet_file import load
from deploy.cli.home import present_home
from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_steps,
)
from deploy.cli.service import run_told, service_settings
from deploy.cli.shard_add import nodes_option, shard_of
from deploy.cli.shard_readdress import fenced_option, fleet_file_option
from deploy.errors import NotFound, Refused, UsageFault
from deploy.local import adopting, checklist, growth
from deploy.local.apart import listen_elsewhere, rejoin
from deploy.local.beside import Lying, promote_again, running
from services.fleet.adoption import Adoption, Decisions, Settled
from services.fleet.adoption import adopt as settle_and_record
from services.fleet.shards import NodeAddress
from services.fleet.side_restore.present import Side, let_in, make_present
from services.fleet.timelines import promotions_lacking
from services.settings import Settings

_GLOBAL = "global"


@dataclass(frozen=True)
class _Order:
    """What lies in the folder, and whether the local fleet is to take it."""

    folder: Path
    clusters: tuple[Lying, ...]
    local: bool

    @property
    def names(self) -> list[str]:
        """The clusters that were restored, the global one first."""
        return [one.cluster for one in self.clusters]

    @property
    def called(self) -> str:
        """What an operator confirms."""
        return self.names[0] if len(self.clusters) == 1 else "all"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@nodes_option
@fleet_file_option
@fenced_option
@click.option(
    "--leave-closed",
    "closed",
    multiple=True,
    metavar="CLIENT|all",
    help="One who is not there as the directory has it: served by nobody until mended.",
)
@click.option(
    "--open",
    "opened",
    multiple=True,
    metavar="CLIENT",
    help="One of whom older rows are there: they are served; what came later is given up.",
)
@click.option("--confirm", metavar="SHARD|all", help="What is replaced, instead of being asked.")
@dry_run_option
@reason_option
@output_option
def adopt(
    folder: Path,
    *,
    nodes: Sequence[NodeAddress],
    fleet_file: Path | None,
    fenced: tuple[str, ...],
    closed: tuple[str, ...],
    opened: tuple[str, ...],
    confirm: str | None,
    dry_run: bool,
    reason: str | None,
    output: Format,
) -> None:
    """Let what `docshard backup restore` has made in FOLDER take the lost clusters' places.

    Refuses while an old server answers, and while a client is not as the directory has it and
    nothing was said of it. Then the directory learns where the shard is, and routers hear of it. A
    local fleet starts it, makes replicas and backups anew; on real hosts the command says what is
    left to do. What was lost is not touched, but no way leads back to it.
    """
    settings = service_settings()
    order = _order(settings, folder.absolute(), foreign=bool(nodes or fleet_file))
    addresses = _addresses(order, nodes, fleet_file)
    if dry_run:
        show_steps(_steps(order))
        return
    _confirmed(order, confirm)
    if order.local:
        with present_home().locked(), checklist.shown() as shown:
            adopting.fence(present_home(), order.names, shown)
    decisions = Decisions(
        opened=frozenset(opened),
        closed=frozenset(closed),
        were=_were_open(order.folder),
        all_closed="all" in closed,
    )
    _promote(settings, order)
    done = _settled(settings, order, Adoption({}, decisions, addresses, frozenset(fenced), reason))
    kept = _start(order)
    show_adopted(Adopted(order.clusters, order.local, kept), done, output)


def _order(settings: Settings, folder: Path, *, foreign: bool) -> _Order:
    """What lies there.

    Raises:
        NotFound: nothing that was restored.
    """
    named = [one["cluster"] for one in _report(folder)["clusters"]]
    installation, programs = find_installation(settings.backup), find_programs()
    state = present_home().load()
    local = not foreign and state is not None and growth.is_own(state, settings.global_nodes)
    clusters = tuple(Lying(name, folder, programs, installation.user) for name in named)
    # What an attempt that broke off has put into its place already is not here any more.
    missing = [one.cluster for one in clusters if not one.data.exists()]
    if missing:
        raise NotFound(
            f"{folder} has no files of {', '.join(missing)}.",
            "They were put into use already, or moved.",
            "A local fleet goes on with `docshard up`; else restore again.",
        )
    return _Order(folder, clusters, local)


def _report(folder: Path) -> Mapping[str, Any]:
    try:
        report: Mapping[str, Any] = orjson.loads((folder / "report.json").read_bytes())
    except FileNotFoundError as error:
        raise NotFound(
            f"{folder} has no report.json.",
            "It is not what `docshard backup restore` makes, or the restore has failed.",
            "Restore again; what was restored by other means is not known to be reconciled.",
        ) from error
    return report


def _were_open(folder: Path) -> frozenset[UUID]:
    """Whom the restore found open or fenced, before it closed some of them."""
    return frozenset(
        UUID(one["client_id"])
        for one in _report(folder)["refused"]
        if (one["found"] or "").startswith(("open@", "fenced@"))
    )


def _addresses(
    order: _Order, nodes: Sequence[NodeAddress], fleet_file: Path | None
) -> Mapping[str, Sequence[NodeAddress]]:
    """Shards that get other addresses than they have."""
    shards = [name for name in order.names if name != _GLOBAL]
    if fleet_file is not None:
        file = load(fleet_file)
        return {name: shard_of(file, name) for name in shards}
    if nodes and len(shards) != 1:
        raise UsageFault("--node names servers of one shard, and several were restored: --fleet.")
    return {shards[0]: nodes} if nodes else {}


def _steps(order: _Order) -> list[str]:
    clusters = ", ".join(order.names)
    steps = [
        f"stop all servers of {clusters}" if order.local else "see that no old server answers",
        f"start {clusters} apart: passwords of today, this code's schema, a timeline nobody has",
        "compare every client with the directory; erase again who was erased since",
        "in one transaction for each shard: its addresses, clients that are opened again, runs of"
        " moves that end, signed heads of what was lost",
    ]
    if not order.local:
        return [*steps, "take away what parts the files from the fleet; say what to do by hand"]
    return [
        *steps,
        "move the lost servers' files aside, and the restored ones into their place",
        "start it, make its replicas anew, take full backups",
    ]


def _confirmed(order: _Order, confirm: str | None) -> None:
    told = confirm or click.prompt(
        f"What is lost since stays lost. Type what is replaced ({order.called})", err=True
    )
    if told != order.called:
        raise Refused(f"{told} is not {order.called}.", "Nothing was changed.")


def _promote(settings: Settings, order: _Order) -> None:
    """Take every restored server to a timeline that the lost one cannot have reached."""
    with ExitStack() as stack:
        ports = {}
        for one in order.clusters:
            ports[one.cluster] = listen_elsewhere(one.data)
            stack.enter_context(running(one, SHOWN.say))
            run_told(let_in(settings, Side(one.cluster, str(one.data), ports[one.cluster])))
        lacking = run_told(promotions_lacking(settings, ports))
    for one in order.clusters:
        for _ in range(lacking[one.cluster]):
            promote_again(one, SHOWN.say)


def _settled(settings: Settings, order: _Order, wished: Adoption) -> Mapping[str, Settled]:
    with ExitStack() as stack:
        ports = {}
        for one in order.clusters:
            ports[one.cluster] = listen_elsewhere(one.data)
            stack.enter_context(running(one, SHOWN.say))
            run_told(make_present(settings, Side(one.cluster, str(one.data), ports[one.cluster])))
        SHOWN.say("every client is compared with the directory …")
        return run_told(
            settle_and_record(
                settings,
                Adoption(ports, wished.decisions, wished.nodes, wished.fenced, wished.reason),
            )
        )


def _start(order: _Order) -> list[str]:
    """Start it here; else make its files ready for where it is started. Answers what was kept."""
    if not order.local:
        for one in order.clusters:
            rejoin(one.data)
        return []
    home = present_home()
    with home.locked(), checklist.shown() as shown:
        kept = [
            str(path)
            for one in order.clusters
            for path in adopting.install(home, one.cluster, one.data, shown)
        ]
        adopting.start(home, order.names, shown)
    return kept
