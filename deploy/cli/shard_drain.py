"""`docshard shard drain`: a shard is emptied while everybody goes on working."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from deploy.cli.output import Format, dry_run_option, output_option, reason_option, show_steps
from deploy.cli.rebalance_run import show_foreseen, tell_started
from deploy.cli.rebalance_watch import finish, show_standing, wait_for
from deploy.cli.run_options import limits_of, run_options
from deploy.cli.service import with_data
from deploy.errors import Refused
from services.fleet import drains
from services.fleet.drains import Drain

_SHOWN = 20


@click.command()
@click.argument("name", metavar="SHARD")
@run_options
@click.option("--wait", "--watch", "wait", is_flag=True, help="Watch until all is swept.")
@click.option("--skip-pinned", is_flag=True, help="Leave pinned clients where they are.")
@click.option("--cancel", is_flag=True, help="Take new clients again, and stop moving them out.")
@dry_run_option
@reason_option
@output_option
@click.pass_context
def drain(
    ctx: click.Context,
    /,
    name: str,
    *,
    wait: bool,
    skip_pinned: bool,
    cancel: bool,
    dry_run: bool,
    reason: str | None,
    output: Format,
    **gently: Any,
) -> None:
    """Move all clients out of SHARD, which takes no new ones from now on.

    Pinned clients are in the way (exit status 5) unless --skip-pinned leaves them. Then `docshard
    shard remove` forgets the empty shard.
    """
    if cancel:
        _cancel(name, dry_run=dry_run, reason=reason)
        return
    limits = limits_of(**gently)
    foreseen = with_data(partial(drains.plan_drain, shard=name, limits=limits))
    if not skip_pinned:
        _demand_free(foreseen)
    if dry_run:
        show_foreseen(foreseen.plan, output)
        return
    work = partial(drains.drain, shard=name, limits=limits, reason=reason)
    started = with_data(work)
    click.echo(f"{name} takes no new clients", err=True)
    if started is None:
        click.echo(f"nobody is left to move; next: docshard shard remove {name}", err=True)
        return
    tell_started(started)
    if wait:
        ctx.exit(finish(wait_for(started.rebalance.id), output))
    show_standing(started.rebalance.id, output)


def _demand_free(foreseen: Drain) -> None:
    if not foreseen.pinned:
        return
    named = ", ".join(foreseen.pinned[:_SHOWN])
    unnamed = len(foreseen.pinned) - _SHOWN
    more = f" and {unnamed} more" if unnamed > 0 else ""
    raise Refused(
        f"Clients are pinned to {foreseen.shard}: {named}{more}.",
        "Nothing was changed.",
        "`docshard client unpin` lets one move; --skip-pinned leaves them where they are.",
    )


def _cancel(name: str, *, dry_run: bool, reason: str | None) -> None:
    if dry_run:
        show_steps([f"let {name} take new clients", "stop the drain that is under way, if one is"])
        return
    taking, stopped = with_data(partial(drains.cancel, shard=name, reason=reason))
    click.echo(f"{taking.name} takes new clients again", err=True)
    if stopped is not None:
        click.echo(f"rebalance {stopped.id} is {stopped.state}", err=True)
