"""`docshard backup restore`: clusters as they were, beside what lives."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
import orjson

from deploy.backups.history import Backup, Moment, begin_with, lsn_of
from deploy.backups.installation import Installation, find_installation
from deploy.backups.taking import history
from deploy.backups.tool import Tool
from deploy.cli.backup_programs import find_programs
from deploy.cli.backup_progress import SHOWN
from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_json,
    show_rows,
    show_steps,
)
from deploy.cli.service import run_told, service_settings, with_data
from deploy.errors import Exit, NotFound, OperatorError, Refused, UsageFault
from deploy.local import restored as beside
from deploy.local.engines import passable
from deploy.local.home import write_private
from deploy.local.restored import Order, Restored
from services.fleet.backup_records import record_restore
from services.fleet.point_manifests import open_manifests
from services.fleet.restore_points import RestorePoint
from services.fleet.restored_fleet import Reconciled, reconcile_restored
from services.settings import Settings

_SHOWN = 50
_LATEST = "latest"


@click.command("restore")
@click.option("--to", "to", required=True, metavar="TIME|POINT|latest", help="To when.")
@click.option("--shard", help="This cluster alone.")
@click.option("--all", "everything", is_flag=True, help="Every cluster.")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--repo", type=click.IntRange(1, 2), help="From this repository alone.")
@dry_run_option
@reason_option
@output_option
@click.pass_context
def restore(
    ctx: click.Context,
    /,
    *,
    to: str,
    shard: str | None,
    everything: bool,
    into: Path,
    repo: int | None,
    dry_run: bool,
    reason: str | None,
    output: Format,
) -> None:
    """Restore clusters into an empty folder, and leave servers there that can be started.

    TIME is as in 2026-11-23T04:30:00Z: exactly what was committed before it comes back. A POINT
    brings all clusters back with one placement. Then every tenant is compared with the directory,
    and what does not match is closed. Nothing that lives is touched. Exit status 6 when tenants
    were refused.
    """
    if everything == (shard is not None):
        raise UsageFault("Say --all, or --shard and which.")
    settings = service_settings()
    installation = find_installation(settings)
    tool = Tool(installation)
    moments = _moments(settings, installation, to, shard)
    folder = _empty(into.absolute(), installation)
    programs = find_programs()
    orders = [
        Order(
            installation.any_of(cluster),
            _backup(tool, cluster, moment, repo),
            moment,
            folder,
            programs,
        )
        for cluster, moment in moments.items()
    ]
    if dry_run:
        show_steps([_step(order) for order in orders] + ["compare every tenant with the directory"])
        return
    _make(folder)
    beside.require_room(orders, folder)
    restored = [beside.restore(tool, order, SHOWN) for order in orders]
    reconciled = _reconciled(settings, orders, restored, installation.user)
    report = _report(to, restored, reconciled)
    text = orjson.dumps(report, option=orjson.OPT_INDENT_2, default=str).decode()
    write_private(folder / "report.json", text)
    _record(report, reason)
    _show(report, folder, output)
    ctx.exit(Exit.FINDINGS if reconciled.refused else Exit.OK)


def _moments(
    settings: Settings, installation: Installation, to: str, shard: str | None
) -> Mapping[str, Moment]:
    clusters = installation.clusters() if shard is None else [installation.any_of(shard).cluster]
    if to == _LATEST:
        return dict.fromkeys(clusters, Moment())
    at = _time(to)
    if at is not None:
        return dict.fromkeys(clusters, Moment(at=at))
    point = run_told(_find(settings, to))
    if point is None:
        raise NotFound(
            f"{to!r} is no time, and no restore point of that name is kept.",
            "",
            "`docshard backup list` shows restore points; a time is as in 2026-11-23T04:30:00Z.",
        )
    return {cluster: _moment(point, cluster) for cluster in clusters}


def _moment(point: RestorePoint, cluster: str) -> Moment:
    position = point.positions.get(cluster)
    if position is None:
        raise NotFound(f"{cluster} was not part of the fleet at the restore point {point.label}.")
    return Moment(point=point.name, lsn=lsn_of(position["lsn"]), timeline=int(position["timeline"]))


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if at > datetime.now(UTC):
        raise UsageFault(f"{text} is yet to come.", "", "`--to latest` restores all there is.")
    return at


async def _find(settings: Settings, label: str) -> RestorePoint | None:
    async with open_manifests(settings) as manifests:
        return await manifests.find(label)


def _backup(tool: Tool, cluster: str, moment: Moment, repo: int | None) -> Backup:
    kept = history(tool, tool.installation.any_of(cluster)).backups
    found = begin_with(kept, moment, repo)
    if found is None:
        oldest = min((one.stopped_at for one in kept), default=None)
        raise Refused(
            f"No backup of {cluster} is older than that.",
            "Nothing was restored.",
            "There is none at all."
            if oldest is None
            else f"The oldest was whole at {oldest:%Y-%m-%dT%H:%M:%SZ}: restore to later times.",
        )
    return found


def _empty(into: Path, installation: Installation) -> Path:
    if into.exists() and any(into.iterdir()):
        raise Refused(
            f"{into} is not empty.",
            "A restore never goes over anything.",
            "Name a folder that is empty or does not exist.",
        )
    if installation.user and not passable(into):
        raise Refused(
            f"The user {installation.user} cannot get to {into}.",
            "The restored servers are that user's.",
            "Name a folder below ones that everybody may pass, such as /var/lib/docshard/restored.",
        )
    return into


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)


def _step(order: Order) -> str:
    backup = order.backup
    return (
        f"restore {order.server.cluster} from {backup.label} of repository {backup.repository}"
        f" into {order.data}, replay WAL, promote, stop"
    )


def _reconciled(
    settings: Settings, orders: list[Order], restored: list[Restored], user: str | None
) -> Reconciled:
    with ExitStack() as stack:
        for order in orders:
            stack.enter_context(beside.running(order, user, SHOWN))
        ports = {one.cluster: one.port for one in restored}
        return run_told(reconcile_restored(settings, ports))


def _report(to: str, restored: list[Restored], reconciled: Reconciled) -> dict[str, Any]:
    refused = [
        {name: value for name, value in asdict(one).items() if name != "closes"}
        for one in reconciled.refused
    ]
    return {
        "to": to,
        "clusters": [asdict(one) for one in restored],
        "served": reconciled.served,
        "refused": refused,
        "closed": reconciled.closed,
    }


def _record(report: Mapping[str, Any], reason: str | None) -> None:
    told = {"to": report["to"], "clusters": [one["cluster"] for one in report["clusters"]]}
    try:
        with_data(partial(record_restore, told=told, reason=reason))
    except OperatorError as error:
        # After a disaster there may be no log to write into.
        click.echo(f"not in the audit log: {error.happened}", err=True)


def _show(report: Mapping[str, Any], folder: Path, output: Format) -> None:
    if output is Format.JSON:
        show_json(report)
        return
    show_rows("clusters", report["clusters"], output)
    click.echo(f"\n{report['served']} tenants match the directory")
    if report["refused"]:
        click.echo(f"not served from there: {len(report['refused'])}\n")
        columns = ("client_id", "code", "shard", "directory", "found", "why", "advice")
        rows = [{name: one[name] for name in columns} for one in report["refused"][:_SHOWN]]
        show_rows("refused", rows, output)
    first = report["clusters"][0]
    click.echo(f"\nthe whole report: {folder / 'report.json'}")
    click.echo(f"start a server, as its files' owner: postgres -D {first['data']}")
