"""`docshard load compare`: two sets of runs, and an exit status for scripts."""

import sys
from pathlib import Path
from typing import Any

import click
import orjson

from loadtests.comparison.intervals import CONFIDENCE
from loadtests.comparison.judgement import Comparison, Judged, Verdict, compare
from loadtests.results import aligned
from loadtests.runs.folder import NoRun, RunFolder, read_run
from loadtests.runs.record import Run

NO_INTERVAL = (
    "No interval can be given: that takes two runs of each at least. Judged by the bare figures, "
    "which may be noise."
)


@click.command(name="compare")
@click.argument("a")
@click.argument("b")
@click.option(
    "--allow",
    type=click.FloatRange(0, 100),
    default=10.0,
    show_default=True,
    help="Per cent by which B may be worse.",
)
@click.option("--operations", is_flag=True, help="Judge single operations, too.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table")
def compare_runs(a: str, b: str, allow: float, operations: bool, output: str) -> None:
    """Compare runs B with runs A; exit status 1 when B is worse.

    A and B are each the folder of a run, or a folder that holds those of repeated runs, or several
    of them with commas between. With two runs of each or more, a change is told with its 95 %
    confidence interval (Welch's t on the runs' figures), and B is worse when the whole interval
    lies beyond what is allowed.
    """
    try:
        sides = runs_at(a), runs_at(b)
    except NoRun as error:
        raise click.UsageError(str(error)) from error
    found = compare(*sides, allow / 100, operations)
    if output == "json":
        click.echo(orjson.dumps(_document(found), option=orjson.OPT_INDENT_2))
    else:
        _tell(found, tuple(map(len, sides)), allow)
    sys.exit(1 if found.worse else 0)


def runs_at(places: str) -> list[Run]:
    """The runs in these folders. Raises NoRun when one has none, or a run cannot be read."""
    return [read_run(folder) for place in places.split(",") for folder in folders(Path(place))]


def folders(place: Path) -> list[Path]:
    """This run's folder, or those of the runs in it. Raises NoRun when there is none."""
    if RunFolder(place).run_file.is_file():
        return [place]
    found = sorted(file.parent for file in place.glob("*/run.json"))
    if not found:
        raise NoRun(f"{place} is no folder of a run, and holds none: there is no run.json.")
    return found


def _tell(found: Comparison, sizes: tuple[int, ...], allow: float) -> None:
    interval = f"{CONFIDENCE:.0%} interval" if found.interval else "interval"
    head = ("figure", "A", "B", "change", interval, "verdict")
    click.echo(aligned([head, *map(_row, found.figures)]))
    click.echo(f"A: {sizes[0]} runs, B: {sizes[1]} runs; {allow:g} % allowed", err=True)
    for words in found.differences:
        click.echo(f"not the same: {words}", err=True)
    if not found.interval:
        click.echo(NO_INTERVAL, err=True)
    click.echo("B is worse than A." if found.worse else "B is not worse than A.", err=True)


def _row(one: Judged) -> tuple[str, ...]:
    figure, change = one.figure, one.change
    means = (f"{sum(side) / len(side):,.2f}" for side in (figure.a, figure.b))
    between = "-"
    if change.low is not None and change.high is not None:
        between = f"{_change(one, change.low)} … {_change(one, change.high)}"
    verdict = "" if one.verdict is Verdict.SAME else one.verdict.value
    if verdict and not figure.judged:
        verdict = f"({verdict})"
    name = f"{figure.name}, {figure.unit}"
    return name, *means, _change(one, change.estimate), between, verdict


def _change(one: Judged, value: float) -> str:
    return f"{value:+.2f} points" if one.figure.unit == "%" else f"{100 * (value - 1):+.1f} %"


def _document(found: Comparison) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "worse": found.worse,
        "confidence": CONFIDENCE if found.interval else None,
        "method": "Welch's t interval on the runs' figures, of logarithms where a ratio is told",
        "differences": found.differences,
        "figures": [
            {
                "name": one.figure.name,
                "unit": one.figure.unit,
                "a": one.figure.a,
                "b": one.figure.b,
                "change": "points" if one.figure.unit == "%" else "ratio",
                "estimate": one.change.estimate,
                "low": one.change.low,
                "high": one.change.high,
                "verdict": one.verdict,
                "judged": one.figure.judged,
            }
            for one in found.figures
        ],
    }
