"""`docshard move verify`: both shards' rows compared once more."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from deploy.cli.output import Format, output_option, show_one
from deploy.cli.service import with_mover
from deploy.errors import Exit
from services.fleet.move_verification import Comparison
from services.fleet.move_verification import verify as compare


@click.command()
@click.argument("move_id", metavar="MOVE", type=click.UUID)
@output_option
@click.pass_context
def verify(ctx: click.Context, move_id: UUID, output: Format) -> None:
    """Compare every row of a move on both shards; change nothing.

    Works while it catches up or verifies, and within the grace after its switch. Exit status 6 when
    a row differs.
    """
    found = with_mover(lambda _, mover: compare(mover, move_id))
    show_one("verification", _row(found), output)
    ctx.exit(Exit.OK if found.difference is None else Exit.FINDINGS)


def _row(found: Comparison) -> dict[str, Any]:
    verified = found.verified
    return {
        "move": found.move.id,
        "state": found.move.state,
        "same": found.difference is None,
        "rows": verified.rows if verified else None,
        "chunks": verified.chunks if verified else None,
        "compared_again": verified.rechecked if verified else None,
        "difference": found.difference,
    }
