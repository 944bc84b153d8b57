"""`docshard rebalance status|watch|list`: how far it is, and what the last ones took."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from functools import partial
from typing import Any
from uuid import UUID

import click
import orjson

from deploy.cli.moves_view import View, move_document, overview_document
from deploy.cli.output import SCHEMA_VERSION, Format, output_option, show_json, show_one, show_rows
from deploy.cli.service import with_data
from deploy.cli.watching import Screen, follow, screen
from deploy.errors import Exit
from services.fleet.move_words import (
    NOBODY_RUNS,
    bytes_words,
    eta_words,
    rebalance_steps,
    rows_words,
    states_words,
)
from services.fleet.rebalance_standing import Record, Standing, history, standing
from services.fleet.units import duration, size
from services.resources import Data

_ID = click.argument("rebalance_id", metavar="[REBALANCE]", type=click.UUID, required=False)


@click.command()
@_ID
@output_option
def status(rebalance_id: UUID | None, output: Format) -> None:
    """Show how far a rebalance is; the one under way, or the last, unless REBALANCE is named."""
    show_standing(rebalance_id, output)


@click.command()
@_ID
@output_option
@click.pass_context
def watch(ctx: click.Context, rebalance_id: UUID | None, output: Format) -> None:
    """Watch a rebalance until all is swept. Ctrl-C detaches; the moves go on.

    As JSON: one document in a line for each change.
    """
    if output is Format.JSON:
        last = _watched(rebalance_id, nullcontext(_JsonLines()))
        ctx.exit(Exit.OK if last is None else _status(last))
    ctx.exit(finish(wait_for(rebalance_id), output))


@click.command("list")
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True)
@output_option
def list_rebalances(limit: int, output: Format) -> None:
    """Show the last rebalances, newest first: what was foreseen beside what it took."""
    records = with_data(partial(history, most=limit))
    if output is Format.JSON:
        show_json({"rebalances": [_record_document(one) for one in records]})
    else:
        show_rows("rebalances", [_record_row(one) for one in records], output)


def wait_for(rebalance_id: UUID | None) -> Standing | None:
    """Watch until all has ended; None when the watcher detached before."""
    return _watched(rebalance_id, screen())


def finish(last: Standing | None, output: Format) -> Exit:
    """Show how a watched rebalance ended; the command's exit status."""
    if last is None:
        return Exit.OK
    _show(last, output)
    return _status(last)


def show_standing(rebalance_id: UUID | None, output: Format) -> None:
    """Look once."""
    _show(with_data(partial(standing, rebalance_id=rebalance_id)), output)


def _status(last: Standing) -> Exit:
    return Exit.FAILED if last.overview.lost else Exit.OK


def _watched(rebalance_id: UUID | None, opened: AbstractContextManager[Screen]) -> Standing | None:
    try:
        with opened as shown:
            return with_data(partial(_follow, rebalance_id, shown))
    # Told when the screen is closed: what is written while it draws, it overwrites.
    except KeyboardInterrupt:
        click.echo(
            "\nDetached; the moves go on. Come back: docshard rebalance watch"
            f"{'' if rebalance_id is None else f' {rebalance_id}'}",
            err=True,
        )
        return None


async def _follow(rebalance_id: UUID | None, shown: Screen, data: Data) -> Standing:
    # The one that is looked at first is followed, even when another one begins after it.
    last = await standing(data, rebalance_id)

    async def look() -> View:
        nonlocal last
        last = await standing(data, last.rebalance.id)
        return view_of(last)

    await follow(look, shown)
    return last


def view_of(found: Standing) -> View:
    """A rebalance as it is watched. Pure."""
    made, whole = found.rebalance, found.overview
    return View(
        f"rebalance {made.id}",
        made.state,
        whole,
        not made.living and whole.ended,
        tuple(rebalance_steps(made.state, whole)),
    )


class _JsonLines:
    """One document in a line for each change."""

    def __init__(self) -> None:
        self._before: dict[str, Any] | None = None

    def show(self, view: View) -> None:
        """Write it, unless it is the same."""
        document = {
            "schema_version": SCHEMA_VERSION,
            "what": view.what,
            "state": view.state,
            **overview_document(view.overview),
            "next_steps": view.next_steps,
        }
        # The estimate moves with every second: by itself it is no news.
        news = {name: value for name, value in document.items() if name != "eta_seconds"}
        if news != self._before:
            click.echo(orjson.dumps(document, default=str).decode())
        self._before = news

    def say(self, text: str) -> None:
        """What is no document goes to standard error."""
        click.echo(text, err=True)


def _show(found: Standing, output: Format) -> None:
    if output is Format.JSON:
        show_json(document_of(found))
        return
    show_one("rebalance", _summary(found), output)
    rows = [_move_row(one) for one in found.overview.moves if one.at_work]
    if rows:
        click.echo()
        show_rows("moves", rows, output)
    for step in rebalance_steps(found.rebalance.state, found.overview):
        click.echo(f"  next: {step}", err=True)


def document_of(found: Standing) -> dict[str, Any]:
    """A rebalance for programs. Pure."""
    made, whole = found.rebalance, found.overview
    return {
        "rebalance": {
            "id": made.id,
            "goal": made.goal,
            "state": made.state,
            "reason": made.reason,
            "limits": asdict(found.limits),
            "predicted": made.plan,
            "created_at": made.created_at,
            "finished_at": made.finished_at,
            **overview_document(whole),
        },
        "moves": [move_document(one) for one in whole.moves],
        "next_steps": rebalance_steps(made.state, whole),
    }


def _summary(found: Standing) -> dict[str, Any]:
    made, whole = found.rebalance, found.overview
    lines: dict[str, Any] = {
        "rebalance": made.id,
        "goal": made.goal,
        "state": made.state,
        "moves": states_words(whole.states),
        "copied": f"{rows_words(whole.rows)}, {bytes_words(whole.bytes)}",
    }
    if whole.bytes_per_second is not None:
        lines["rate"] = f"{size(whole.bytes_per_second)}/s"
    if whole.lag_bytes is not None:
        lines["lag"] = size(whole.lag_bytes)
    if not whole.ended:
        lines["ETA"] = eta_words(whole.eta)
    if whole.unattended:
        lines["attention"] = NOBODY_RUNS
    if whole.lost:
        lines["left behind"] = f"{len(whole.lost):,} moves were aborted and not retried"
    return lines


def _move_row(one: Any) -> dict[str, Any]:
    return {
        "move": one.move.id,
        "from": one.move.source,
        "to": one.move.target,
        "state": one.move.state,
        "rows": rows_words(one.rows),
        "copied": bytes_words(one.bytes),
        "fault": one.move.fault,
    }


def _record_document(one: Record) -> dict[str, Any]:
    made = one.rebalance
    return {
        "id": made.id,
        "goal": made.goal,
        "state": made.state,
        "reason": made.reason,
        "created_at": made.created_at,
        "finished_at": made.finished_at,
        "moves": one.moves,
        "states": one.states,
        "predicted": made.plan,
        "actual": {
            "seconds": one.seconds,
            "pause_ms": one.pause_ms,
            "rows": one.rows,
            "bytes": one.bytes,
        },
    }


def _record_row(one: Record) -> dict[str, Any]:
    plan = one.rebalance.plan
    return {
        "id": one.rebalance.id,
        "begun": one.rebalance.created_at,
        "goal": one.rebalance.goal,
        "state": one.rebalance.state,
        "moves": states_words(one.states),
        "ETA": _range(plan.get("seconds"), duration),
        "took": "-" if one.seconds is None else duration(one.seconds),
        "pause foreseen": _range(plan.get("pause_ms"), _milliseconds),
        "longest pause": "-" if one.pause_ms is None else _milliseconds(one.pause_ms),
        "reason": one.rebalance.reason or None,
    }


def _milliseconds(value: float) -> str:
    return f"{value:.0f} ms"


def _range(span: Any, words: Any) -> str:
    if not isinstance(span, dict):
        return "-"
    high = "?" if span.get("high") is None else words(span["high"])
    return f"{words(span['low'])} to {high}"


COMMANDS = (status, watch, list_rebalances)
