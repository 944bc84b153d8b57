"""The fleet that a command is about: a fleet file's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import click

from deploy.cli.folders import into_option
from deploy.errors import NotFound, Refused, UsageFault
from deploy.fleet.file import FleetFile, FleetFileFault, read_fleet_file
from deploy.fleet.pgbouncer import PoolerRefused
from deploy.local.home import write_private

fleet_option = click.option(
    "--fleet",
    "fleet_file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The fleet file; deploy/fleet.example.toml is one.",
)
rendered_option = into_option("The folder to write into; what it holds under other names stays.")


def write_files(files: Mapping[PurePosixPath, str], into: Path, *, dry_run: bool) -> None:
    """Write each file below the folder unless it is a dry run, and print its path.

    Raises:
        UsageFault: nothing can be written there.
    """
    for path, text in sorted(files.items()):
        if not dry_run:
            _write(into / path, text)
        click.echo(into / path)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Nothing in it is secret, and who reads it in the end is another user.
        write_private(path, text, mode=0o644)
    except OSError as error:
        raise UsageFault(
            f"{path} cannot be written: {error.strerror}.",
            "What was printed before it has been written.",
            "Name a folder for --into that you may write to.",
        ) from error


@contextmanager
def refusals() -> Iterator[None]:
    """What a fleet cannot have, in words for an operator.

    Raises:
        Refused.
    """
    try:
        yield
    except PoolerRefused as error:
        raise Refused(str(error), "Nothing was written or started.") from error


def load(path: Path) -> FleetFile:
    """The fleet file at that path.

    Raises:
        NotFound: there is none.
        UsageFault: it cannot be used; each fault with its line.
    """
    try:
        text = path.read_text()
    except FileNotFoundError as error:
        raise NotFound(f"There is no fleet file {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageFault(f"{path} cannot be read: {error}.") from error
    try:
        return read_fleet_file(text)
    except FleetFileFault as error:
        raise UsageFault(
            f"{path} is not a fleet file that can be used.",
            str(error),
            "Correct the lines and run again; deploy/fleet.example.toml shows every table.",
        ) from error
