"""Results on standard output: aligned tables for people, JSON for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

import click
import orjson
from rich.console import Console
from rich.table import Table

SCHEMA_VERSION = 1
Command = TypeVar("Command", bound=Callable[..., Any])


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    JSON = "json"


def output_option(command: Command) -> Command:
    """Add `-o table|json` as the argument `output`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(Format, case_sensitive=False),
        default=Format.TABLE,
        show_default="table",
        help="How to write the result.",
    )(command)


def dry_run_option(command: Command) -> Command:
    """Add `--dry-run`: print the steps and change nothing."""
    return click.option("--dry-run", is_flag=True, help="Print the steps; change nothing.")(command)


def reason_option(command: Command) -> Command:
    """Add `--reason`: why the change is made, written into the audit log."""
    return click.option("--reason", help="Why; written into the audit log.")(command)


def show_rows(kind: str, rows: Sequence[Mapping[str, Any]], output: Format) -> None:
    """Write a list of equal things, named `kind` in JSON."""
    if output is Format.JSON:
        show_json({kind: rows})
        return
    console = _console()
    if not rows:
        console.print(f"no {kind}")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console.print(table)


def show_one(kind: str, fields: Mapping[str, Any], output: Format) -> None:
    """Write the fields of one thing."""
    if output is Format.JSON:
        show_json({kind: fields})
        return
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for name, value in fields.items():
        table.add_row(name.replace("_", " "), _cell(value))
    _console().print(table)


def show_json(document: Mapping[str, Any]) -> None:
    """Write a document with its schema_version."""
    click.echo(_json(document))


def show_json_lines(document: Mapping[str, Any], items: Iterable[Any]) -> None:
    """Write a document whose last member is an empty list, with these items in it, one in a line.

    Each is made when it is written: half a million of them are never in memory together.
    """
    head, tail = _json(document).rsplit("[]", 1)
    before = "[\n"
    sys.stdout.write(head)
    for item in items:
        sys.stdout.write(before + orjson.dumps(item, default=str).decode())
        before = ",\n"
    sys.stdout.write("[]" if before == "[\n" else "\n]")
    sys.stdout.write(f"{tail}\n")
    sys.stdout.flush()


def _json(document: Mapping[str, Any]) -> str:
    content = {"schema_version": SCHEMA_VERSION, **document}
    return orjson.dumps(content, option=orjson.OPT_INDENT_2, default=str).decode()


def show_steps(steps: Sequence[str]) -> None:
    """Write what a dry run would do, in order."""
    for number, step in enumerate(steps, start=1):
        click.echo(f"{number:>3}  {step}")
    if not steps:
        click.echo("nothing to do")


def _console() -> Console:
    # Piped output is for other programs: it must not be folded at 80 columns.
    width = None if sys.stdout.isatty() else 250
    return Console(width=width, no_color="NO_COLOR" in os.environ or None, highlight=False)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)
