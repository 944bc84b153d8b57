"""`docshard backup drill`: a restore is tried, looked at, measured and thrown away."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import click

from deploy.backups.history import Backup, Moment, begin_with, end_of_wal
from deploy.backups.installation import find_installation
from deploy.backups.taking import history
from deploy.backups.tool import Tool
from deploy.cli.backup_orders import side_folder
from deploy.cli.backup_programs import find_programs
from deploy.cli.backup_progress import SHOWN
from deploy.cli.client_whole import with_reach
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
from deploy.errors import Exit, Refused
from deploy.local import restored as beside
from deploy.local.amcheck import amcheck
from deploy.local.beside import Lying, running
from deploy.local.restored import Order, Restored
from services.fleet.drills import canaries, goals
from services.fleet.drills import history as kept
from services.fleet.drills.canaries import Canary
from services.fleet.drills.checks import Checked, Server, check
from services.fleet.drills.history import Drill
from services.fleet.units import size
from services.settings import Settings

_SHOWN = 20


@dataclass(frozen=True)
class _Plan:
    """What is tried: the newest backup of a cluster that has two minutes' rows behind it, to `at`.

    `written` are the rows since that backup, `newest` is the last that can be restored.
    """

    cluster: str
    backup: Backup
    at: datetime
    begun: datetime
    written: Sequence[Canary]
    newest: Canary

    @property
    def rpo_seconds(self) -> float:
        """How old the newest row is that the repository's WAL has."""
        return (self.begun - self.newest.written_at).total_seconds()


@click.command()
@click.option("--shard", "cluster", help="This cluster; the one that waits longest unless told.")
@click.option("--all", "everything", is_flag=True, help="Every cluster, one after the other.")
@click.option(
    "--beside",
    "named",
    type=click.Path(path_type=Path, file_okay=False),
    help="An empty folder for the restored servers, which stay; one that goes unless told.",
)
@click.option("--history", "past", is_flag=True, help="Show earlier drills instead.")
@dry_run_option
@reason_option
@output_option
@click.pass_context
def drill(
    ctx: click.Context,
    /,
    *,
    cluster: str | None,
    everything: bool,
    named: Path | None,
    past: bool,
    dry_run: bool,
    reason: str | None,
    output: Format,
) -> None:
    """Restore the newest backup of a cluster to a random second, and prove what came back.

    Beside what lives: recovered, promoted, read by pg_amcheck, its audit logs and signed heads
    proven, each minute's row counted, some contents read from their copy. Measures RPO and RTO;
    exit status 6 when one misses its goal or something is not sound.
    """
    if past:
        _show_history(output)
        return
    settings = service_settings()
    tool = Tool(find_installation(settings.backup))
    plans = [_plan(tool, one) for one in _clusters(tool, cluster, everything=everything)]
    if dry_run:
        show_steps([step for plan in plans for step in _steps(plan)])
        return
    done = [_drill(tool, settings, plan, named) for plan in plans]
    for one in done:
        with_data(partial(kept.keep, drill=one, reason=reason))
    _show(done, output)
    ctx.exit(Exit.OK if all(one.good for one in done) else Exit.FINDINGS)


def _clusters(tool: Tool, cluster: str | None, *, everything: bool) -> list[str]:
    known = tool.installation.clusters()
    if cluster is not None:
        return [tool.installation.any_of(cluster).cluster]
    return known if everything else [goals.longest_waiting(known, with_data(kept.last_good))]


def _plan(tool: Tool, cluster: str) -> _Plan:
    begun = datetime.now(UTC)
    stanza = history(tool, tool.installation.any_of(cluster))
    written = with_data(partial(canaries.since, cluster=cluster, moment=begun - canaries.KEPT))
    there = goals.restorable(written, end_of_wal(stanza))
    last_but_one = there[-2].written_at if len(there) > 1 else None
    backup = last_but_one and begin_with(stanza.backups, Moment(at=last_but_one), None)
    if not backup:
        raise Refused(
            f"{cluster} has no backup with two minutes of WAL behind it.",
            "A drill restores to a second behind a backup, and counts the rows of each minute that"
            " `docshard worker` writes.",
            "Try again in some minutes; `docshard doctor` tells when WAL is not archived, and"
            " `docshard backup list` shows backups.",
        )
    behind = [one for one in written if one.written_at > backup.stopped_at]
    fit = [one for one in there if one in behind]
    at = goals.random_second(fit, random.SystemRandom())
    return _Plan(cluster, backup, at, begun, behind, there[-1])


def _steps(plan: _Plan) -> list[str]:
    return [
        f"restore {plan.cluster} from {plan.backup.label} of repository {plan.backup.repository},"
        f" {size(plan.backup.size)}, beside what lives",
        f"replay WAL to a random second until {plan.newest.written_at:%H:%M:%S} UTC, promote",
        "pg_amcheck; count canaries; prove audit logs and signed heads; read some contents",
        "note RPO and RTO, stop the server and remove it",
    ]


def _drill(tool: Tool, settings: Settings, plan: _Plan, named: Path | None) -> Drill:
    installation, programs = tool.installation, find_programs()
    with side_folder(None if named is None else named / plan.cluster, installation) as folder:
        moment = Moment(at=plan.at)
        server = installation.any_of(plan.cluster)
        order = Order(
            server,
            plan.backup,
            moment,
            Lying(plan.cluster, folder, programs, installation.user),
        )
        beside.require_room([order], folder)
        restored = beside.restore(tool, order, SHOWN)
        with running(order.lying, SHOWN.say):
            SHOWN.say(f"{plan.cluster}: pg_amcheck, canaries, audit logs, contents …")
            pages = amcheck(order.lying, restored.port, settings.database)
            checked = with_reach(
                partial(
                    check,
                    server=Server(plan.cluster, restored.data, restored.port),
                    since=plan.backup.stopped_at,
                )
            )
    return _judged(plan, restored, checked, pages)


def _judged(plan: _Plan, restored: Restored, checked: Checked, pages: list[str]) -> Drill:
    rto = restored.restore_seconds + restored.replay_seconds
    findings = [
        *pages,
        *checked.faults,
        *goals.judge_canaries(plan.written, plan.at, checked.sung),
        *goals.judge_goals(plan.rpo_seconds, rto),
    ]
    return Drill(
        id=uuid4(),
        cluster=plan.cluster,
        begun_at=plan.begun,
        target_at=plan.at,
        backup=restored.backup,
        repository=restored.repository,
        restored_bytes=restored.restored_bytes,
        rpo_seconds=round(plan.rpo_seconds, 1),
        rto_seconds=round(rto, 1),
        good=not findings,
        findings=tuple(findings),
        checked={
            "canaries": checked.sung.canaries,
            "audit_rows": checked.log.rows,
            "audit_links": checked.log.links,
            "signed_heads": checked.heads,
            "contents": checked.contents,
            "contents_from": checked.contents_from,
            "restore_seconds": restored.restore_seconds,
            "replay_seconds": restored.replay_seconds,
            "replayed_segments": restored.replayed_segments,
            "bytes_per_second": round(restored.restored_bytes / max(restored.restore_seconds, 0.1)),
        },
    )


def _show(done: Sequence[Drill], output: Format) -> None:
    if output is Format.JSON:
        show_json(
            {
                "rpo_seconds": max(one.rpo_seconds for one in done),
                "rto_seconds": max(one.rto_seconds for one in done),
                "goals": {"rpo_seconds": goals.RPO_SECONDS, "rto_seconds": goals.RTO_SECONDS},
                "good": all(one.good for one in done),
                "drills": [asdict(one) for one in done],
            }
        )
        return
    for one in done:
        for line in _words(one):
            click.echo(line)


def _words(one: Drill) -> list[str]:
    told: Mapping[str, Any] = one.checked
    return [
        f"{one.cluster}: {'GOOD' if one.good else 'NOT GOOD'}, restored to {one.target_at}",
        f"  RPO {one.rpo_seconds:.0f} s of {goals.RPO_SECONDS:.0f}:"
        " so old was the newest row that can be restored",
        f"  RTO {one.rto_seconds:.1f} s of {goals.RTO_SECONDS:.0f}: {size(one.restored_bytes)} at"
        f" {size(told['bytes_per_second'])}/s, {told['replayed_segments']} segments of WAL in"
        f" {told['replay_seconds']} s",
        f"  {told['canaries']} canaries, {told['audit_rows']} audit rows, {told['audit_links']}"
        f" links, {told['signed_heads']} signed heads, {told['contents']} contents"
        + (f" from {told['contents_from']}" if told["contents_from"] else ""),
        *(f"  FINDING: {finding}" for finding in one.findings),
    ]


def _show_history(output: Format) -> None:
    rows = [asdict(one) for one in with_data(partial(kept.newest, most=_SHOWN))]
    if output is not Format.JSON:
        rows = [
            {name: row[name] for name in ("cluster", "begun_at", "rpo_seconds", "rto_seconds")}
            | {"good": row["good"], "findings": "; ".join(row["findings"])}
            for row in rows
        ]
    show_rows("drills", rows, output)
