"""`docshard move abort|retry|reverse`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

import click

from deploy.cli.move_create import after_order
from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_steps,
)
from deploy.cli.service import with_data
from deploy.errors import Exit
from services.fleet import moves
from services.fleet.moves import Move

_MOVE = click.argument("move_id", metavar="MOVE", type=click.UUID)
_Steps = Callable[[Move], list[str]]


def _abort_steps(move: Move) -> list[str]:
    return [
        f"stop the move at {move.state}, unless it switches before that is heard",
        f"let its clients go on on {move.source}, in a new epoch",
        f"remove what it has made on {move.source} and {move.target}",
    ]


def _retry_steps(move: Move) -> list[str]:
    return [f"order a new move of its clients from {move.source} to {move.target}"]


def _reverse_steps(move: Move) -> list[str]:
    return [
        f"keep the rows on {move.source}, which have followed every change since the switch",
        f"verify them, fence its clients on {move.target}, and open them on {move.source}",
        f"sweep {move.target} after the grace",
    ]


def _changing(
    verb: str, change: Callable[..., Awaitable[Move]], steps: _Steps, what: str
) -> click.Command:
    @click.command(verb, help=what)
    @_MOVE
    @click.option("--wait", is_flag=True, help="Watch until all of it has ended.")
    @dry_run_option
    @reason_option
    @output_option
    @click.pass_context
    def command(
        ctx: click.Context,
        *,
        move_id: UUID,
        wait: bool,
        dry_run: bool,
        reason: str | None,
        output: Format,
    ) -> None:
        if dry_run:
            show_steps(steps(with_data(partial(moves.detail, move_id=move_id)).move))
            return
        changed = with_data(partial(change, move_id=move_id, reason=reason))
        status = after_order([changed], wait=wait, output=output)
        # Who aborts wants that end.
        ctx.exit(Exit.OK if verb == "abort" else status)

    return command


abort = _changing(
    "abort",
    moves.abort,
    _abort_steps,
    "End a move before its switch; its clients stay where they are, and nothing is lost.",
)
retry = _changing("retry", moves.retry, _retry_steps, "Order an aborted move again.")
reverse = _changing(
    "reverse",
    moves.reverse,
    _reverse_steps,
    "Bring a switched move's clients back, within its grace, with all that was written since.",
)
COMMANDS = (abort, retry, reverse)
