"""`docshard load report`: the page of a run, made anew from its folder."""

from pathlib import Path

import click

from loadtests.report.page import render
from loadtests.runs.folder import NoRun, RunFolder, read


@click.command(name="report")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--baseline", type=click.Path(path_type=Path), help="A run to lay over it.")
@click.option("--out", type=click.Path(path_type=Path), help="Else report.html in the folder.")
def report_run(folder: Path, baseline: Path | None, out: Path | None) -> None:
    """Draw a run: one page of HTML, which needs no network and no script."""
    try:
        written = write_report(folder, baseline, out)
    except NoRun as error:
        raise click.UsageError(str(error)) from error
    click.echo(written)


def write_report(folder: Path, baseline: Path | None = None, out: Path | None = None) -> Path:
    """Write the page of the run in this folder; where it is. Raises NoRun."""
    page = render(read(folder), read(baseline) if baseline else None)
    written = out or RunFolder(folder).report_file
    written.write_text(page)
    return written
