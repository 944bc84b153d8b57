"""`docshard audit archive`: months of audit logs that the policy no longer keeps."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime

import click

from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_rows,
    show_steps,
)
from deploy.cli.service import run_told, service_settings, with_data
from deploy.errors import Exit
from services.fleet import archive_overview
from services.fleet.archive_overview import Overview
from services.fleet.sweeps import Swept, archive_months
from services.resources import open_resources
from services.settings import DatabaseRole

_SHOWN = ("cluster", "month", "state", "rows", "objects", "size", "updated_at", "problem")


@click.command("archive")
@click.option("--run", "runs", is_flag=True, help="Archive now what the worker would.")
@dry_run_option
@reason_option
@output_option
@click.pass_context
def archive(
    ctx: click.Context, *, runs: bool, dry_run: bool, reason: str | None, output: Format
) -> None:
    """Show months that were archived or are on their way; with --run, go on with it.

    DOCSHARD_AUDIT_KEEP_MONTHS says how many months stay in the databases. Interrupted anywhere, the
    next run goes on. Exit status 6 when a month goes no further, and `problem` says why.
    """
    keep_months = service_settings().audit.keep_months
    if dry_run:
        overview = with_data(lambda data: archive_overview.look(data, keep_months))
        show_steps(archive_overview.steps(overview))
        return
    failed: tuple[str, ...] = ()
    if runs:
        failed = run_told(_run(reason)).failed
    overview = with_data(lambda data: archive_overview.look(data, keep_months))
    rows = [asdict(one) for one in overview.archives]
    show_rows("archives", [{name: row[name] for name in _SHOWN} for row in rows], output)
    for name in failed:
        click.echo(f"{name} did not answer, or refused: run again", err=True)
    ctx.exit(Exit.FINDINGS if failed or _stuck(overview) else Exit.OK)


def _stuck(overview: Overview) -> bool:
    return any(one.problem is not None for one in overview.archives)


async def _run(reason: str | None) -> Swept:
    began = time.monotonic()

    def tell(step: str) -> None:
        click.echo(f"{time.monotonic() - began:7.1f} s  {step}", err=True)

    async with open_resources(service_settings(), DatabaseRole.WORKER) as resources:
        return await archive_months(resources, datetime.now(UTC).date(), tell, reason)
