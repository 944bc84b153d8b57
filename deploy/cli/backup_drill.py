"""`docshard backup drill`: a restore is tried, looked at, measured and thrown away."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

import click

from deploy.backups.history import Backup, Moment, begin_with, end_of_wal
from deploy.backups.installation import find_installation
from deploy.backups.taking import history
from deploy.backups.tool import Tool
from deploy.cli.backup_beside import Wanted, served_beside
from deploy.cli.backup_drill_view import show, show_history
from deploy.cli.backup_programs import find_programs
from deploy.cli.backup_progress import SHOWN
from deploy.cli.clusters import Rounds
from deploy.cli.folders import beside_option
from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_steps,
)
from deploy.cli.reach import with_reach
from deploy.cli.service import service_settings, with_data
from deploy.errors import Exit, Refused
from deploy.local.amcheck import amcheck
from deploy.local.restoring import Restored
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
@beside_option("An empty folder for the restored servers, which stay; one that goes unless told.")
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
    exit status 6 when one misses its goal or something is not sound, 1 when one of several could
    not be made: each is kept as soon as it is finished.
    """
    if past:
        show_history(with_data(partial(kept.newest, most=_SHOWN)), output)
        return
    settings = service_settings()
    tool = Tool(find_installation(settings.backup))
    clusters = _clusters(tool, cluster, everything=everything)
    if dry_run:
        _show_plans(tool, clusters)
        return
    done = drill_each(
        clusters,
        lambda one: _drill(tool, settings, _plan(tool, one), named),
        lambda one: with_data(partial(kept.keep, drill=one, reason=reason)),
        output,
    )
    ctx.exit(Exit.OK if all(one.good for one in done) else Exit.FINDINGS)


def drill_each(
    clusters: Sequence[str],
    drilled: Callable[[str], Drill],
    keep: Callable[[Drill], None],
    output: Format,
) -> list[Drill]:
    """Drill one after the other, and keep each as it is finished; hours of work: whatever ends it,
    what was finished is shown.

    Raises:
        OperatorError: the only one failed. ExceptionGroup: some did, of several.
    """
    done: list[Drill] = []
    rounds = Rounds("the drill")

    def drill_one(cluster: str) -> None:
        done.append(drilled(cluster))
        keep(done[-1])

    try:
        rounds.each(clusters, drill_one)
    finally:
        if done or rounds.failed:
            show(done, rounds.failed, output)
    rounds.tell_failed()
    return done


def _show_plans(tool: Tool, clusters: Sequence[str]) -> None:
    steps: list[str] = []
    rounds = Rounds("planning the drill")
    rounds.each(clusters, lambda one: steps.extend(_steps(_plan(tool, one))))
    show_steps(steps)
    rounds.tell_failed()


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
    folder = None if named is None else named / plan.cluster
    wanted = Wanted(plan.backup, Moment(at=plan.at), find_programs(), folder)
    with served_beside(tool, wanted) as (lying, restored):
        SHOWN.say(f"{plan.cluster}: pg_amcheck, canaries, audit logs, contents …")
        pages = amcheck(lying, restored.port, settings.database)
        server = Server(plan.cluster, restored.data, restored.port)
        checked = with_reach(partial(check, server=server, since=plan.backup.stopped_at))
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
