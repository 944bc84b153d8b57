"""`docshard backup restore`: clusters as they were, beside what lives."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click
import orjson

from deploy.backups.history import Backup, Moment
from deploy.backups.installation import find_installation
from deploy.backups.tool import Tool
from deploy.cli.backup_orders import chosen_backup, empty_folder, make_folder, moments
from deploy.cli.backup_programs import find_programs
from deploy.cli.backup_progress import SHOWN
from deploy.cli.folders import into_option, writing_into
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
from deploy.errors import Exit, OperatorError, UsageFault
from deploy.local import restoring
from deploy.local.beside import Lying, running
from deploy.local.home import write_private
from deploy.local.restoring import Order, Restored
from services.fleet.backup_records import record_restore
from services.fleet.restored_fleet import Reconciled, reconcile_restored
from services.fleet.side_restore.present import Side, let_in
from services.settings import Settings

_SHOWN = 50


@click.command("restore")
@click.option("--to", "to", required=True, metavar="TIME|POINT|latest", help="To when.")
@click.option("--shard", help="This cluster alone.")
@click.option("--all", "everything", is_flag=True, help="Every cluster.")
@into_option("A folder that is empty, or is made.")
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
    installation = find_installation(settings.backup)
    tool = Tool(installation)
    clusters = installation.clusters() if shard is None else [installation.any_of(shard).cluster]
    wanted = moments(settings, clusters, to)
    folder = empty_folder(into.absolute(), installation)
    orders = [
        _order(tool, chosen_backup(tool, cluster, moment, repo), moment, folder)
        for cluster, moment in wanted.items()
    ]
    if dry_run:
        show_steps([_step(order) for order in orders] + ["compare every tenant with the directory"])
        return
    with writing_into(folder, "Make room, and name another folder."):
        make_folder(folder)
        restored = _restored(tool, orders, folder)
        report = _report(to, restored, _reconciled(settings, orders, restored))
        text = orjson.dumps(report, option=orjson.OPT_INDENT_2, default=str).decode()
        write_private(folder / "report.json", text)
    _record(report, reason)
    _show(report, folder, output)
    ctx.exit(Exit.FINDINGS if report["refused"] else Exit.OK)


def _order(tool: Tool, backup: Backup, moment: Moment, folder: Path) -> Order:
    lying = Lying(backup.cluster, folder, find_programs(), tool.installation.user)
    return Order(tool.installation.any_of(backup.cluster), backup, moment, lying)


def _restored(tool: Tool, orders: list[Order], folder: Path) -> list[Restored]:
    restoring.require_room(orders, folder)
    return [restoring.restore(tool, order, SHOWN) for order in orders]


def _step(order: Order) -> str:
    backup = order.backup
    return (
        f"restore {order.server.cluster} from {backup.label} of repository {backup.repository}"
        f" into {order.data}, replay WAL, promote, stop"
    )


def _reconciled(settings: Settings, orders: list[Order], restored: list[Restored]) -> Reconciled:
    with ExitStack() as stack:
        for order in orders:
            stack.enter_context(running(order.lying, SHOWN.say))
        for one in restored:
            run_told(let_in(settings, Side(one.cluster, one.data, one.port)))
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
        "erased_rows": reconciled.erased,
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
    if report["erased_rows"]:
        click.echo(f"removed again, of clients who were erased since: {report['erased_rows']} rows")
    if report["refused"]:
        click.echo(f"not served from there: {len(report['refused'])}\n")
        columns = ("client_id", "code", "shard", "directory", "found", "why", "advice")
        rows = [{name: one[name] for name in columns} for one in report["refused"][:_SHOWN]]
        show_rows("refused", rows, output)
    first = report["clusters"][0]
    click.echo(f"\nthe whole report: {folder / 'report.json'}")
    click.echo(f"start a server, as its files' owner: postgres -D {first['data']}")
    click.echo(f"put it into use: docshard backup adopt {folder} --dry-run")
