"""`docshard backup now`: backups and restore points, at once."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import Any

import click

from deploy.backups.installation import Installation, find_installation
from deploy.backups.taking import Kind, Wanted, history, planned, take
from deploy.backups.tool import Tool
from deploy.cli.backup_progress import Meter
from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_json,
    show_rows,
    show_steps,
)
from deploy.cli.service import service_settings, with_data
from deploy.errors import UsageFault
from services.fleet import restore_points
from services.fleet.backup_records import record_backups
from services.fleet.point_manifests import open_manifests
from services.fleet.restore_points import PointWish, RestorePoint
from services.resources import Data
from services.settings import Settings

_LABEL = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")


@click.command()
@click.option("--cluster", "clusters", multiple=True, help="Back this cluster up; may be repeated.")
@click.option("--all", "all_clusters", is_flag=True, help="Back every cluster of this host up.")
@click.option("--full", is_flag=True, help="Copy everything, not what has changed alone.")
@click.option("--point", metavar="NAME", help="Make a restore point of that name on all clusters.")
@dry_run_option
@reason_option
@output_option
def now(
    *,
    clusters: tuple[str, ...],
    all_clusters: bool,
    full: bool,
    point: str | None,
    dry_run: bool,
    reason: str | None,
    output: Format,
) -> None:
    """Take a backup into each repository; of every cluster when none is named.

    With --point and no cluster nothing is copied: a moment gets a name, to which all clusters can
    be restored with one placement.
    """
    if point is not None and not _LABEL.fullmatch(point):
        raise UsageFault(
            f"{point!r} is no name for a restore point.",
            "",
            "Up to 40 lower-case letters, digits, '.', '_' and '-'.",
        )
    settings = service_settings()
    installation = find_installation(settings.backup)
    wanted = _wanted(installation, clusters, all_clusters=all_clusters, full=full, point=point)
    if dry_run:
        steps = [
            f"{one.kind} backup of {one.cluster} into repository {one.repository}" for one in wanted
        ]
        show_steps(steps + ([f"make the restore point {point} on all clusters"] if point else []))
        return
    taken = _take_all(Tool(installation), wanted, reason)
    made = with_data(partial(_point, settings, PointWish(point, reason))) if point else None
    _show(taken, made, output)


def _wanted(
    installation: Installation,
    clusters: tuple[str, ...],
    *,
    all_clusters: bool,
    full: bool,
    point: str | None,
) -> list[Wanted]:
    kind: Kind = "full" if full else "incr"
    named = list(clusters)
    if all_clusters or not (named or point):
        named = installation.clusters()
    return list(planned(installation, named, kind))


def _take_all(tool: Tool, wanted: list[Wanted], reason: str | None) -> list[dict[str, Any]]:
    taken = []
    for one in wanted:
        begun = time.monotonic()
        server = tool.installation.any_of(one.cluster)
        with Meter(f"{one.cluster}: {one.kind} backup into repository {one.repository}") as meter:
            take(tool, one, meter)
        ours = [
            backup
            for backup in history(tool, server).backups
            if backup.repository == one.repository
        ]
        newest = max(ours, key=lambda backup: backup.stopped_at)
        taken.append(
            {
                "cluster": one.cluster,
                "repository": one.repository,
                "label": newest.label,
                "type": newest.type,
                "seconds": round(time.monotonic() - begun, 1),
                "bytes": newest.size,
                "stored_bytes": newest.stored,
            }
        )
    if taken:
        with_data(partial(record_backups, taken=taken, reason=reason))
    return taken


async def _point(settings: Settings, wish: PointWish, data: Data) -> RestorePoint:
    async with open_manifests(settings) as manifests:
        return await restore_points.make_point(data, manifests, wish)


def _show(taken: list[dict[str, Any]], made: RestorePoint | None, output: Format) -> None:
    if output is Format.JSON:
        show_json({"backups": taken, "point": made})
        return
    if taken:
        show_rows("backups", taken, output)
    if made is not None:
        click.echo(f"restore point {made.label}: {made.id}")
