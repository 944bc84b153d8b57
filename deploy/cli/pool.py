"""`docshard pool`: PgBouncer's configuration from the fleet file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from deploy.cli.fleet_file import fleet_option, load, refusals, rendered_option, write_files
from deploy.cli.output import Format, dry_run_option, output_option, show_rows
from deploy.errors import Exit, NotFound, Refused, UsageFault
from deploy.fleet.pgbouncer import PROBE_ROLE, parse_pooler
from deploy.fleet.pooler_diff import Change, differences
from deploy.fleet.pooler_plan import PoolerProcess, pooler_processes
from deploy.fleet.versions import known_holes, shown
from deploy.local.engines import find_pooler
from deploy.pooling.console import ask
from deploy.pooling.trial import try_out

_PASSWORD = "DOCSHARD_PROBE_PASSWORD"  # noqa: S105 - the variable's name


@click.group()
def pool() -> None:
    """Write, check and compare the configuration of PgBouncer."""


@pool.command()
@fleet_option
@output_option
def show(fleet_file: Path, output: Format) -> None:
    """Show each pooler, how its connections are counted, and what its version is known for."""
    wanted = _processes(fleet_file)
    show_rows("poolers", [_row(process) for process in wanted], output)
    _warn(wanted)


@pool.command()
@fleet_option
@rendered_option
@dry_run_option
def render(fleet_file: Path, into: Path, *, dry_run: bool) -> None:
    """Write pgbouncer.ini for each process below a folder."""
    files = {process.path: process.text for process in _processes(fleet_file)}
    write_files(files, into, dry_run=dry_run)


@pool.command()
@fleet_option
@output_option
def validate(fleet_file: Path, output: Format) -> int:
    """Start each configuration on a free port, ask what was understood, and end it again.

    The PgBouncer of this machine is started. Where the file names another version, the same fleet
    is rendered for the one that is here; the note says so.
    """
    wanted = _processes(fleet_file)
    found = find_pooler()
    if found is None:
        raise Refused(
            "PgBouncer is not installed here.",
            "There is no option that only checks a configuration: it must be started.",
            "Install it (Debian: apt-get install pgbouncer) and run again.",
        )
    program, version = found
    rows = [_tried(process, program, version) for process in wanted]
    show_rows("trials", rows, output)
    named = wanted[0].files.version
    if named != version[: len(named)]:
        click.echo(
            f"note: PgBouncer {shown(version)} was started; keys that only"
            f" {shown(named)} has were not tried.",
            err=True,
        )
    _warn(wanted)
    return Exit.FINDINGS if any(row["otherwise"] for row in rows) else Exit.OK


@pool.command()
@fleet_option
@click.option("--pooler", "name", help="Only this one.")
@output_option
def diff(fleet_file: Path, name: str | None, output: Format) -> int:
    """Compare with the poolers that run, and say what each difference takes.

    Asks their consoles as docshard_probe, with the password in DOCSHARD_PROBE_PASSWORD.
    """
    password = os.environ.get(_PASSWORD)
    if not password:
        raise UsageFault(
            f"{_PASSWORD} is not set.",
            f"The consoles let {PROBE_ROLE} in, by its password.",
            "Set it and run again.",
        )
    # Processes that share a port cannot be asked one by one; they differ in their numbers alone.
    wanted = [
        process
        for process in _processes(fleet_file)
        if process.instance == 1 and name in (None, process.pooler.name)
    ]
    if not wanted:
        raise NotFound(f"The fleet has no pooler {name}.")
    rows = [row for process in wanted for row in _compared(process, password)]
    show_rows("differences", rows, output)
    return Exit.FINDINGS if rows else Exit.OK


def _processes(fleet_file: Path) -> list[PoolerProcess]:
    with refusals():
        processes = pooler_processes(load(fleet_file))
    if not processes:
        raise NotFound(f"{fleet_file} names no [[cluster.pooler]].")
    return processes


def _row(process: PoolerProcess) -> dict[str, object]:
    connections = process.files.connections
    return {
        "pooler": process.pooler.name,
        "instance": process.instance,
        "address": process.pooler.address.text,
        "version": shown(process.files.version),
        "max_db_connections": connections.per_pooler,
        "default_pool_size": connections.per_user,
        "counted": connections.arithmetic,
    }


def _tried(process: PoolerProcess, program: Path, version: Sequence[int]) -> dict[str, object]:
    here = process.for_version(tuple(version))
    changes = try_out(program, here.text)
    return {
        "pooler": process.pooler.name,
        "instance": process.instance,
        "otherwise": [f"{one.what}: {one.wanted} taken for {one.running}" for one in changes],
    }


def _compared(process: PoolerProcess, password: str) -> Iterable[dict[str, object]]:
    running = ask(process.pooler.address, password, tls=process.files.tls is not None)
    for change in differences(parse_pooler(process.text), running):
        yield _difference(process, change)


def _difference(process: PoolerProcess, change: Change) -> dict[str, object]:
    return {
        "pooler": process.pooler.name,
        "what": change.what,
        "running": change.running,
        "wanted": change.wanted,
        "takes": change.takes,
    }


def _warn(wanted: Sequence[PoolerProcess]) -> None:
    for version in sorted({process.files.version for process in wanted}):
        for hole in known_holes(version):
            click.echo(
                f"note: PgBouncer {shown(version)} has {hole.cve} ({hole.meant});"
                f" closed in {shown(hole.closed)}.",
                err=True,
            )
