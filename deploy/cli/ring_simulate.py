"""`docshard ring simulate`: balance, movement and cost of fleets that do not exist."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from deploy.cli.output import Format, output_option, show_json, show_rows
from deploy.errors import UsageFault
from deploy.fleet.ring_plot import page, picture
from services.fleet.planner.simulation import (
    MAX_WEIGHT,
    TOLERANCE,
    Answer,
    Question,
    doubling,
    simulate,
)
from services.fleet.units import duration_span, size

_MOST_SHARDS: Final = 2_000
_MOST_CLIENTS: Final = 5_000_000
_PICTURES: Final = (".svg", ".html")


class _Weights(click.ParamType[tuple[float, ...]]):
    """Numbers with commas between them."""

    name = "W,W,…"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Read them; each is a weight that a shard may have."""
        try:
            weights = tuple(map(float, str(value).split(",")))
        except ValueError:
            weights = ()
        if not weights or not all(0 < weight <= MAX_WEIGHT for weight in weights):
            self.fail(f"{value!r}: weights are above 0 and at most {MAX_WEIGHT:g}", param, ctx)
        return weights


def _picture_at(_: click.Context, __: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and value.suffix not in _PICTURES:
        raise click.BadParameter("a picture's name ends in .svg or .html")
    return value


@click.command("simulate")
@click.option("--shards", type=click.IntRange(1, _MOST_SHARDS), default=64, show_default=True)
@click.option(
    "--from",
    "first",
    type=click.IntRange(1, _MOST_SHARDS),
    default=2,
    show_default=True,
    help="The smallest fleet; each next one has twice as many shards, up to --shards.",
)
@click.option(
    "--clients", type=click.IntRange(1, _MOST_CLIENTS), default=100_000, show_default=True
)
@click.option("--weights", type=_Weights(), default="1", show_default=True, help="Given in turn.")
@click.option(
    "--skew",
    type=click.FloatRange(0, 3),
    default=0.8,
    show_default=True,
    help="Exponent of Zipf's law of sizes and of rates; 0: all are equal.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 10, min_open=True),
    default=TOLERANCE,
    show_default=True,
    help="As of `docshard rebalance plan --goal load`.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Equal seeds, equal answers.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_picture_at,
    help="Draw it, too: FILE.svg or FILE.html.",
)
@output_option
def simulate_ring(
    *, shards: int, first: int, out: Path | None, output: Format, **asked: Any
) -> None:
    """Show how even fleets of growing size are, what moves when one more shard joins, what the goal
    `load` would move, and what that takes.

    Nothing is asked of a database: tenants are drawn, ring and planner are those of real fleets. A
    million clients on a thousand shards take minutes.
    """
    if first > shards:
        raise click.UsageError("--from is more than --shards")
    question = Question(fleets=doubling(first, shards), **asked)
    answers = _answers(question)
    if output is Format.JSON:
        show_json({"question": asdict(question), "answers": [asdict(one) for one in answers]})
    else:
        show_rows("answers", [_row(one) for one in answers], output)
    if out is not None:
        _draw(out, question, answers)


def _answers(question: Question) -> list[Answer]:
    answers = []
    began = time.monotonic()
    for one in simulate(question):
        answers.append(one)
        passed = time.monotonic() - began
        click.echo(f"{one.shards:>5,} shards  {passed:.1f} s", err=True)
    return answers


def _row(one: Answer) -> dict[str, Any]:
    return {
        "shards": one.shards,
        "members": f"{one.members:,}",
        "clients, max/mean": f"{one.clients_imbalance:.3f}",
        "bytes, max/mean": f"{one.bytes_imbalance:.2f}",
        "largest / share": f"{one.largest:.2f}",
        "one joins: moved": f"{one.moved:.2%}",
        "ideal": f"{one.ideal:.2%}",
        "bytes": size(one.moved_bytes),
        "ETA": duration_span(one.seconds),
        "load: moved": f"{one.relief_clients:,}",
        "bytes to move": size(one.relief_bytes),
        "then max/mean": f"{one.relieved:.2f}",
    }


def _draw(out: Path, question: Question, answers: Sequence[Answer]) -> None:
    svg = picture(question, answers)
    try:
        out.write_text(page(svg) if out.suffix == ".html" else svg)
    except OSError as error:
        raise UsageFault(f"{out} cannot be written: {error.strerror}.") from error
    click.echo(f"drawn: {out}", err=True)
