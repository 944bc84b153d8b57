"""`docshard move …`: single moves, ordered by hand or by a rebalance."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

import click

from deploy.cli import move_changes, move_create, move_verify
from deploy.cli.moves_view import move_document
from deploy.cli.output import Format, output_option, show_json, show_one, show_rows
from deploy.cli.service import with_data
from services.fleet import moves
from services.fleet.move_progress import MoveProgress, progress_of
from services.fleet.move_words import bytes_words, move_steps, rows_words
from services.fleet.moves import Detail
from services.fleet.units import size


@click.group()
def move() -> None:
    """Move clients between shards by hand; look at moves, end them, go back.

    MOVE is the id of a move.
    """


move.add_command(move_create.create)
move.add_command(move_verify.verify)
for _command in move_changes.COMMANDS:
    move.add_command(_command)


@move.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@output_option
def list_moves(limit: int, output: Format) -> None:
    """Show the last moves, newest first."""
    found = [progress_of(one) for one in with_data(partial(moves.newest, limit=limit))]
    if output is Format.JSON:
        show_json({"moves": [move_document(one) for one in found]})
    else:
        show_rows("moves", [_row(one) for one in found], output)


@move.command()
@click.argument("move_id", metavar="MOVE", type=click.UUID)
@output_option
def show(move_id: UUID, output: Format) -> None:
    """Show one move: its clients, how far it is, what it has made on shards."""
    found = with_data(partial(moves.detail, move_id=move_id))
    one = progress_of(found.move)
    if output is Format.JSON:
        show_json({"move": _document(found, one), "next_steps": move_steps(one)})
        return
    show_one("move", _fields(found, one), output)
    for step in move_steps(one):
        click.echo(f"  next: {step}", err=True)


def _row(one: MoveProgress) -> dict[str, Any]:
    found = one.move
    return {
        "id": found.id,
        "from": found.source,
        "to": found.target,
        "state": found.state,
        "copied": bytes_words(one.bytes),
        "pause": _pause(one),
        "begun": found.created_at,
        "fault": found.fault,
    }


def _pause(one: MoveProgress) -> str | None:
    paused = one.move.actual.get("pause_ms")
    return None if paused is None else f"{paused:.0f} ms"


def _document(found: Detail, one: MoveProgress) -> dict[str, Any]:
    return move_document(one) | {
        "reason": found.move.reason,
        "generation": found.move.generation,
        "lease_until": found.move.lease_until,
        "clients": [
            {"id": each.client_id, "code": found.codes.get(each.client_id), "epoch": each.epoch}
            for each in found.clients
        ],
        "leftovers": [
            {"shard": each.shard, "kind": each.kind, "name": each.name} for each in found.left
        ],
    }


def _fields(found: Detail, one: MoveProgress) -> dict[str, Any]:
    its, actual = found.move, found.move.actual
    lines: dict[str, Any] = {
        "move": its.id,
        "rebalance": its.rebalance_id,
        "from": its.source,
        "to": its.target,
        "state": its.state if its.wish == "run" else f"{its.state}, to {its.wish}",
        "since": its.state_since,
        "clients": [found.codes.get(each.client_id, each.client_id) for each in found.clients],
        "copied": f"{rows_words(one.rows)}, {bytes_words(one.bytes)}",
        "foreseen": _foreseen(its.predicted),
        "pause": _pause(one),
    }
    if actual.get("phases"):
        lines["seconds"] = [f"{name} {value:.2f}" for name, value in actual["phases"].items()]
    if actual.get("switch_ms"):
        lines["switch"] = [f"{name} {value:.1f} ms" for name, value in actual["switch_ms"].items()]
    if its.sweep_after is not None:
        lines["swept after"] = its.sweep_after
    follows = {"retries": its.retries, "reverses": its.reverses, "fault": its.fault}
    lines |= {name: value for name, value in follows.items() if value is not None}
    if found.left:
        lines["on shards"] = [f"{each.shard} {each.kind} {each.name}" for each in found.left]
    return lines


def _foreseen(predicted: dict[str, Any]) -> str | None:
    if "seconds" not in predicted:
        return None
    return (
        f"{predicted['seconds']:.1f} s, pause {predicted.get('pause_ms', 0):.0f} ms, "
        f"{size(predicted.get('bytes', 0))}"
    )
