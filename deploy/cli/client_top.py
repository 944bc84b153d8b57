"""`docshard client top`: who stores most, and who is served most."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

import click

from deploy.cli.output import Format, output_option, show_rows
from deploy.cli.service import with_data
from services.fleet.statistics import ORDERS, ClientStatistics, Order, top_clients
from services.fleet.units import size


@click.command()
@click.option(
    "--by",
    type=click.Choice(ORDERS),
    default="bytes",
    show_default=True,
    help="Bytes of tables and indexes, rows, or requests per second of the last minutes.",
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@output_option
def top(by: Order, limit: int, output: Format) -> None:
    """Show the clients with most bytes, rows, reads or writes, deleted ones too.

    Sizes are measured by the worker now and then, rates told by every process each ten seconds.
    `max_…` and requests_per_second are its quota, whose bytes are those of contents. What is not
    known of a client is empty; a client of which `--by` is not known is not shown.
    """
    found = with_data(partial(top_clients, order=by, limit=limit))
    show_rows("clients", [_row(one, output) for one in found], output)


def _row(one: ClientStatistics, output: Format) -> dict[str, Any]:
    rates = {
        name: None if (rate := getattr(one, name)) is None else round(rate, 3)
        for name in ("reads_per_second", "writes_per_second")
    }
    row = asdict(one) | rates
    if output is Format.TABLE:
        for name in ("bytes", "max_bytes"):
            row[name] = None if row[name] is None else size(row[name])
    return row
