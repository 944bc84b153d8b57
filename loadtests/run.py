"""Load the demo tenants of a running fleet and print percentiles: `python -m loadtests.run`.

Exit status 0 when every single answer was right, 1 when one was not, 2 when there is no fleet.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from docshard_client import DocshardError
from loadtests.results import Results, table
from loadtests.target import NoTarget, Target, find_target
from loadtests.tenants import Scenario, prepare

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Load:
    """How long and how many."""

    seconds: int
    users: int


@click.command(help="Load the demo tenants with readers and writers; no failure is allowed.")
@click.option("--seconds", type=click.IntRange(1), default=30, show_default=True)
@click.option("--users", type=click.IntRange(1), default=20, show_default=True)
def main(seconds: int, users: int) -> None:
    """Prepare, run, report."""
    load = Load(seconds, users)
    try:
        target = find_target()
        scenario = prepare(target, seconds)
    except (NoTarget, DocshardError) as error:
        click.echo(f"Cannot load the fleet: {error}", err=True)
        sys.exit(2)
    count = len(scenario.tenants)
    click.echo(f"{users} users on {count} tenants of {target.api} for {seconds} s", err=True)
    sys.exit(report(run(target, scenario, load)))


def run(target: Target, scenario: Scenario, load: Load) -> Results:
    """Run locust in a process of its own: it patches the whole standard library."""
    with TemporaryDirectory(prefix="docshard-load-") as folder:  # mode 0700: it holds keys
        written, results = Path(folder, "scenario.json"), Path(folder, "results.json")
        written.write_text(scenario.model_dump_json())
        environment = {
            **os.environ,
            "DOCSHARD_LOAD_SCENARIO": str(written),
            "DOCSHARD_LOAD_RESULTS": str(results),
        }
        done = subprocess.run(  # noqa: S603 - our own interpreter, words and no shell
            command(target, load),
            cwd=ROOT,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if not results.is_file():
            raise click.ClickException(f"locust ended without results:\n{done.stderr[-4000:]}")
        return Results.model_validate_json(results.read_bytes())


def command(target: Target, load: Load) -> list[str]:
    """The locust process; at the end it lets what is under way finish."""
    return [
        *(sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py")),
        *("--headless", "--only-summary", "--host", target.api),
        *("--users", str(load.users), "--spawn-rate", str(load.users)),
        *("--run-time", f"{load.seconds}s", "--stop-timeout", "30"),
    ]


def report(results: Results) -> int:
    """Print the table and, if any, the failures; the exit status."""
    click.echo(table(results))
    click.echo("times in ms", err=True)
    for failure in results.failures:
        click.echo(f"FAILED {failure.seen} x {failure.operation}: {failure.error}", err=True)
    return 0 if results.passed else 1


if __name__ == "__main__":
    main()
