"""`docshard rebalance start|pause|resume|stop`: a plan is carried out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import click

from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_steps,
)
from deploy.cli.rebalance import show_plan, show_plan_document
from deploy.cli.rebalance_watch import finish, show_standing, wait_for
from deploy.cli.run_options import limits_of, run_options
from deploy.cli.service import with_data
from services.fleet import rebalances
from services.fleet.planning import Goal, Plan, Wishes, make_plan
from services.fleet.rebalance_standing import Standing, standing
from services.fleet.rebalances import LIVING, Rebalance, RunLimits, Started

_Change = Callable[..., Awaitable[Rebalance]]
_LEFT_OUT = {
    "pinned": "were pinned meanwhile",
    "moved": "were moved meanwhile",
    "moving": "are in another move",
    "erasing": "are being erased",
    "gone": "are not known any more",
}


@click.command()
@click.option(
    "--goal",
    type=click.Choice([Goal.RING.value, Goal.LOAD.value]),
    default=Goal.RING.value,
    show_default=True,
    help="As `docshard rebalance plan` has it. A shard is drained by `docshard shard drain`.",
)
@run_options
@click.option("--wait", "--watch", "wait", is_flag=True, help="Watch until all is swept.")
@dry_run_option
@reason_option
@output_option
@click.pass_context
def start(
    ctx: click.Context,
    /,
    *,
    goal: str,
    wait: bool,
    dry_run: bool,
    reason: str | None,
    output: Format,
    **gently: Any,
) -> None:
    """Plan, and let the workers move clients while everybody goes on working.

    Ctrl-C detaches; the moves go on. Exit status 1 when --wait ends and clients were left behind.
    """
    limits = limits_of(**gently)
    plan = with_data(partial(make_plan, goal=Goal(goal), wishes=Wishes(at_once=limits.at_once)))
    if dry_run or not plan.batches:
        show_foreseen(plan, output)
        return
    begin(ctx, plan, limits, reason, wait=wait, output=output)


def show_foreseen(plan: Plan, output: Format) -> None:
    """What would be done, or that nothing is to be done."""
    if output is Format.JSON:
        show_plan_document({"rebalance": None}, plan)
    else:
        show_plan(plan)


def begin(
    ctx: click.Context,
    plan: Plan,
    limits: RunLimits,
    reason: str | None,
    *,
    wait: bool,
    output: Format,
) -> None:
    """Start the plan's moves, and watch them if that is wished."""
    started = with_data(partial(rebalances.start, plan=plan, limits=limits, reason=reason))
    tell_started(started)
    if wait:
        ctx.exit(finish(wait_for(started.rebalance.id), output))
    show_standing(started.rebalance.id, output)


def tell_started(started: Started) -> None:
    """What was ordered, and who was left out of it."""
    made = started.rebalance
    click.echo(
        f"rebalance {made.id} has begun: {started.clients:,} clients in {started.moves:,} moves",
        err=True,
    )
    for line in left_out_lines(started.left_out):
        click.echo(line, err=True)


def left_out_lines(left_out: Mapping[str, int]) -> list[str]:
    """Why clients of the plan stay where they are."""
    return [f"left out: {count:,} clients {_LEFT_OUT[why]}" for why, count in left_out.items()]


def _changing(verb: str, change: _Change, what: str, steps: Sequence[str]) -> click.Command:
    @click.command(verb, help=what)
    @dry_run_option
    @reason_option
    @output_option
    def command(dry_run: bool, reason: str | None, output: Format) -> None:
        if dry_run:
            found = with_data(standing)
            show_steps([f"{step} ({found.rebalance.id})" for step in _due(found, verb, steps)])
            return
        changed = with_data(partial(change, reason=reason))
        click.echo(f"rebalance {changed.id} is {changed.state}", err=True)
        show_standing(changed.id, output)

    return command


def _due(found: Standing, verb: str, steps: Sequence[str]) -> Sequence[str]:
    """The steps of a change, none when the rebalance is not in a state for it."""
    among = {"pause": ("running",), "resume": ("paused",)}.get(verb, LIVING)
    return steps if found.rebalance.state in among else ()


pause = _changing(
    "pause",
    rebalances.pause,
    "Let every move that is not fenced yet rest where it is; `resume` goes on from there.",
    ["begin no further move", "let moves that are not fenced yet rest; sweep what is switched"],
)
resume = _changing(
    "resume", rebalances.resume, "Go on after a pause.", ["let the workers run its moves again"]
)
stop = _changing(
    "stop",
    rebalances.stop,
    "End a rebalance for good: what is switched stays switched, all others stay where they are.",
    [
        "begin no further move",
        "abort moves that are not fenced yet, and remove what they have copied",
        "sweep what is switched, after its grace",
    ],
)
COMMANDS = (start, pause, resume, stop)
