"""`docshard backup list` and `verify`: what the repositories hold, and whether it is whole."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

import click

from deploy.backups.history import Kept, Stanza, kept
from deploy.backups.installation import find_installation
from deploy.backups.taking import history
from deploy.backups.tool import Tool
from deploy.backups.verifying import verified
from deploy.cli.backup_progress import Meter
from deploy.cli.output import Format, output_option, show_json, show_rows
from deploy.cli.service import service_settings, with_data
from deploy.errors import Exit, OperatorError
from services.fleet.restore_points import list_points
from services.fleet.units import size

_POINTS_SHOWN = 10


@click.command("list")
@click.option("--points", default=_POINTS_SHOWN, show_default=True, help="Restore points to show.")
@click.option("--price", type=click.FloatRange(0), help="Of a GB a month: what keeping costs.")
@output_option
def list_backups(points: int, price: float | None, output: Format) -> None:
    """Show backups by cluster and repository, what they take there, the WAL behind them, and the
    last restore points."""
    tool = Tool(find_installation(service_settings().backup))
    stanzas = [
        history(tool, tool.installation.any_of(cluster)) for cluster in tool.installation.clusters()
    ]
    try:
        found = with_data(partial(list_points, most=points))
    except OperatorError as error:
        # Backups are of most interest when the global database is gone.
        click.echo(f"restore points are not shown: {error.happened}", err=True)
        found = []
    rows = [_row(one) for stanza in stanzas for one in map(asdict, stanza.backups)]
    held = [_kept(one, price) for one in kept(stanzas)]
    named = [{"label": one.label, "id": one.id, "created_at": one.created_at} for one in found]
    if output is Format.JSON:
        clusters = [_whole(stanza) for stanza in stanzas]
        show_json({"clusters": clusters, "backups": rows, "kept": held, "points": found})
        return
    show_rows("backups", [_for_people(row) for row in rows], output)
    click.echo()
    show_rows("kept", [_for_people(row) for row in held], output)
    click.echo()
    show_rows("WAL", [row for stanza in stanzas for row in _wal(stanza)], output)
    click.echo()
    show_rows("restore points", named, output)


@click.command()
@click.option("--cluster", "clusters", multiple=True, help="This cluster alone; may be repeated.")
@output_option
@click.pass_context
def verify(ctx: click.Context, clusters: tuple[str, ...], output: Format) -> None:
    """Read all that the repositories hold, and compare it with its checksums.

    Exit status 6 when anything is missing or damaged.
    """
    tool = Tool(find_installation(service_settings().backup))
    rows: list[dict[str, Any]] = []
    for cluster in clusters or tool.installation.clusters():
        server = tool.installation.any_of(cluster)
        for repository in range(1, server.repositories + 1):
            with Meter(f"{cluster}: repository {repository}"):
                rows += [asdict(one) for one in verified(tool, server, repository)]
    show_rows("verified", rows, output)
    ctx.exit(Exit.OK if all(row["whole"] for row in rows) else Exit.FINDINGS)


def _row(backup: dict[str, Any]) -> dict[str, Any]:
    kept = ("cluster", "repository", "label", "type", "started_at", "stopped_at", "timeline")
    return {name: backup[name] for name in kept} | {
        "bytes": backup["size"],
        "stored_bytes": backup["stored"],
        "faulty": backup["faulty"],
    }


def _kept(one: Kept, price: float | None) -> dict[str, Any]:
    cost = {} if price is None else {"monthly_cost": round(one.monthly_cost(price), 2)}
    return asdict(one) | cost


def _for_people(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: size(row[name]) for name in ("bytes", "stored_bytes") if name in row}


def _wal(stanza: Stanza) -> list[dict[str, Any]]:
    return [
        {"cluster": stanza.cluster, "repository": number, "from": first, "to": last}
        for number, (first, last) in sorted(stanza.wal.items())
    ]


def _whole(stanza: Stanza) -> dict[str, Any]:
    return {"cluster": stanza.cluster, "status": stanza.status, "wal": _wal(stanza)}
