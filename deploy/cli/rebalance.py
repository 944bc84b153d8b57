"""`docshard rebalance plan`: who should live where, and what bringing that about takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import click

from deploy.cli.output import Format, output_option, show_json_lines, show_one, show_rows
from deploy.cli.service import with_data
from services.fleet.planning import Goal, Plan, Wishes, make_plan
from services.fleet.units import duration_span, milliseconds_span, size


@click.command()
@click.option(
    "--goal",
    type=click.Choice(Goal, case_sensitive=False),
    default=Goal.RING,
    show_default="ring",
    help="ring: everybody lives where the ring proposes; load: no shard has much more than its "
    "share; drain: nobody lives on a draining shard.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 10, min_open=True),
    default=Wishes().tolerance,
    show_default=True,
    help="What a shard may have above its share before `load` moves anybody.",
)
@output_option
def plan(goal: Goal, tolerance: float, output: Format) -> None:
    """Show what would move, what that takes, and how even the shards are before and after.

    Nothing is changed. Pinned clients never move.
    """
    made = with_data(partial(make_plan, goal=goal, wishes=Wishes(tolerance=tolerance)))
    if output is Format.JSON:
        show_plan_document({}, made)
    else:
        show_plan(made)


def show_plan_document(around: Mapping[str, Any], made: Plan) -> None:
    """A plan for programs: totals, flows, and every batch in order, a line each."""
    batches = (
        {"source": batch.source, "target": batch.target, "clients": batch.clients}
        | {"predicted": batch.record()}
        for batch in made.batches
    )
    show_json_lines({**around, "plan": _totals(made) | {"batches": []}}, batches)


def _totals(made: Plan) -> dict[str, Any]:
    return {
        "goal": made.goal,
        "clients": made.clients,
        "rows": made.rows,
        "bytes": made.bytes,
        "seconds": asdict(made.seconds),
        "pause_ms": asdict(made.pause_ms),
        "learnt_from_moves": made.learnt_from,
        "clients_in_fleet": made.population,
        "unmeasured_clients": made.unmeasured,
        "imbalance": {"before": asdict(made.before), "after": asdict(made.after)},
        "obstacles": made.obstacles,
        "flows": [asdict(flow) for flow in made.flows()],
    }


def show_plan(made: Plan) -> None:
    """A plan for people: who gives whom how much, then what it takes and what it is good for."""
    if made.batches:
        flows = [asdict(flow) | {"bytes": size(flow.bytes)} for flow in made.flows()]
        show_rows("flows", flows, Format.TABLE)
        click.echo()
    show_one("plan", _summary(made), Format.TABLE)


def _summary(made: Plan) -> dict[str, Any]:
    lines: dict[str, Any] = {"goal": made.goal}
    if not made.batches:
        lines["moves"] = f"none: the goal is met for {made.population:,} clients"
    else:
        lines["moves"] = (
            f"{made.clients:,} of {made.population:,} clients in {len(made.batches):,} batches, "
            f"{made.rows:,} rows, {size(made.bytes)}; blobs stay where they are"
        )
        lines["ETA"] = f"{duration_span(made.seconds)} ({_grounds(made)})"
        lines["pause"] = f"{milliseconds_span(made.pause_ms)}, once for each client's writers"
    before, after = asdict(made.before), asdict(made.after)
    for name, value in before.items():
        lines[f"{name}, max/mean"] = f"{value:.2f} now, {after[name]:.2f} then"
    if made.unmeasured:
        lines["not measured"] = f"{made.unmeasured:,} clients; taken for as large as the others"
    if made.obstacles:
        lines["in the way"] = [
            f"{client} is pinned to a draining shard" for client in made.obstacles
        ]
    return lines


def _grounds(made: Plan) -> str:
    if not made.learnt_from:
        return "a guess: too few moves have ended here"
    return f"from the last {made.learnt_from} moves"
