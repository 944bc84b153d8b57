"""`docshard move create`: named clients go to a named shard, and how such moves are watched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import click

from deploy.cli.moves_view import View, move_document
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
from deploy.cli.watching import Screen, follow, screen
from deploy.errors import Exit
from services.fleet import moves, moves_by_hand
from services.fleet.move_eta import Circumstances
from services.fleet.move_overview import overview
from services.fleet.move_words import move_steps
from services.fleet.moves import Move
from services.fleet.planning import Batch
from services.fleet.units import duration_span, milliseconds_span, size
from services.resources import Data


@click.command()
@click.argument("clients", metavar="CLIENT...", nargs=-1, required=True)
@click.option("--to", "target", metavar="SHARD", required=True, help="Where they are to live.")
@click.option("--wait", is_flag=True, help="Watch until the source is swept.")
@dry_run_option
@reason_option
@output_option
@click.pass_context
def create(
    ctx: click.Context,
    *,
    clients: Sequence[str],
    target: str,
    wait: bool,
    dry_run: bool,
    reason: str | None,
    output: Format,
) -> None:
    """Move clients, by id or code, to a shard; the ring's wish is not asked.

    A later rebalance to the goal `ring` may bring them back: `docshard client pin` keeps them.
    """
    batches = with_data(partial(moves_by_hand.plan_by_hand, names=clients, target=target))
    if dry_run:
        show_steps([step for batch in batches for step in _steps(batch)])
        return
    made = with_data(partial(moves_by_hand.create, batches=batches, reason=reason))
    for one in made:
        click.echo(f"move {one.id} is planned: {one.source} -> {one.target}", err=True)
    ctx.exit(after_order(made, wait=wait, output=output))


def _steps(batch: Batch) -> list[str]:
    seconds, pause = batch.predicted.seconds, batch.predicted.pause_ms
    return [
        f"copy {len(batch.clients)} clients, {batch.rows:,} rows, {size(batch.bytes)} from "
        f"{batch.source} to {batch.target} while they are used ({duration_span(seconds)})",
        f"verify the copy, then switch: their writers wait once ({milliseconds_span(pause)})",
        f"keep the way back for the grace, then sweep {batch.source}",
    ]


def after_order(made: Sequence[Move], *, wait: bool, output: Format) -> Exit:
    """Watch ordered moves if that is wished, and show them."""
    if wait:
        watched = _watched([one.id for one in made])
        if watched is None:
            return Exit.OK
        made = watched
    view = view_of(made)
    if output is Format.JSON:
        rows = [move_document(one) for one in view.overview.moves]
        show_json({"moves": rows, "next_steps": view.next_steps})
    else:
        shown = ("id", "source", "target", "state", "fault")
        show_rows("moves", [{name: getattr(one, name) for name in shown} for one in made], output)
    return Exit.FAILED if wait and view.overview.lost else Exit.OK


def _watched(ids: Sequence[UUID]) -> Sequence[Move] | None:
    try:
        with screen() as shown:
            return with_data(partial(_follow, ids, shown))
    except KeyboardInterrupt:
        again = "; ".join(f"docshard move show {one}" for one in ids[:3])
        click.echo(f"\nDetached; the moves go on. Come back: {again}", err=True)
        return None


async def _follow(ids: Sequence[UUID], shown: Screen, data: Data) -> Sequence[Move]:
    last: Sequence[Move] = ()

    async def look() -> View:
        nonlocal last
        last = await moves.some(data, ids)
        return view_of(last)

    await follow(look, shown)
    return last


def view_of(found: Sequence[Move]) -> View:
    """Moves as they are watched."""
    grace = service_settings().moves.grace_seconds
    whole = overview(found, Circumstances(datetime.now(UTC), grace_seconds=grace))
    what = f"move {found[0].id}" if len(found) == 1 else f"{len(found)} moves"
    steps = [step for one in whole.moves[:3] for step in move_steps(one)]
    return View(what, "over" if whole.ended else "under way", whole, whole.ended, tuple(steps))
