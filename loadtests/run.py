"""Load a running fleet by a scenario: `docshard load run`, `make load`, `python -m loadtests.run`.

Exit status 0 when every answer was right, every gate was reached and every acknowledged write is
there once; 1 when not; 2 when it could not be run.
"""

import random
import signal
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import click

from docshard_client import DocshardError
from loadtests.acts import ActFailed, Operator
from loadtests.generator import GeneratorFailed
from loadtests.home import home_of
from loadtests.plan import Plan
from loadtests.results import table, verdict
from loadtests.running import Course, Load, Result
from loadtests.runs.folder import RunFolder
from loadtests.runs.record import Model
from loadtests.scenario import NoScenario, Scenario, names, read
from loadtests.target import NoTarget, Target, find_target
from loadtests.tenants import prepare


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says; None is the scenario's own."""

    scenario: str
    seconds: int | None
    users: int | None
    rate: float | None
    skew: float | None
    seed: int | None
    workers: int
    into: Path | None


@click.command(name="run")
@click.option("--scenario", default="smoke", show_default=True, metavar="NAME|FILE.toml")
@click.option("--list", "listed", is_flag=True, help="Show the scenarios, and nothing else.")
@click.option("--seconds", type=click.IntRange(1), help="How long to load.")
@click.option("--users", type=click.IntRange(1), help="Of a closed model.")
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="Arrivals/s of an open model."
)
@click.option("--skew", type=click.FloatRange(0, 3), help="Exponent of Zipf's law of tenants.")
@click.option("--seed", type=int, help="Equal seeds, equal arrivals; else one by chance, printed.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Of locust's distributed mode, started by hand: docs/load-tests.md.",
)
@click.option("--into", type=click.Path(path_type=Path), help="The folder to keep the run in.")
def run_scenario(*, listed: bool, **asked: Any) -> None:
    """Load the demo tenants of a fleet as a scenario says, and judge what came of it.

    The fleet is the one that DOCSHARD_API, DOCSHARD_ADMIN_EMAIL and DOCSHARD_ADMIN_PASSWORD name,
    else the local one. Exit status 0: passed; 1: a gate was missed, an answer was wrong or a write
    is lost; 2: could not be run.
    """
    if listed:
        click.echo(scenarios())
        return
    # Told to end, it still ends the generator and brings the fleet back to what it was.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        result = run(Asked(**asked))
    except (NoScenario, NoTarget, DocshardError, ActFailed, GeneratorFailed) as error:
        _could_not(str(error))
    except KeyboardInterrupt:
        _could_not("stopped")
    except FileExistsError as error:
        _could_not(f"{error.filename} exists: a run wants a folder of its own.")
    sys.exit(report(result))


def run(asked: Asked) -> Result:
    """Prepare and run. Raises what the command tells as `could not`."""
    scenario = read(
        asked.scenario,
        seconds=asked.seconds,
        users=asked.users,
        rate=asked.rate,
        skew=asked.skew,
    )
    target = find_target()
    plan = _plan(asked, scenario, target)
    folder = RunFolder(asked.into or _folder(asked.scenario))
    operator = Operator(plan, note=lambda event: folder.note([event]))
    operator.rehearse()
    folder.begin()
    load = Load(Path(asked.scenario).stem, target, plan, home_of(), folder)
    click.echo(_announced(load), err=True)
    return Course(load, operator).run()


def report(result: Result) -> int:
    """Print the table, then on standard error what is to be said of it; the exit status."""
    run = result.run
    click.echo(table(run))
    click.echo(f"times in ms, {_whence(run.model)}\n{verdict(run)}", err=True)
    for operation in run.operations:
        for failure in operation.errors:
            click.echo(f"FAILED {failure.seen} x {operation.name}: {failure.error}", err=True)
    click.echo(f"report: {result.report}", err=True)
    return 0 if result.passed else 1


def scenarios() -> str:
    """Every scenario and what it asks."""
    wide = max(map(len, names()))
    return "\n".join(f"{name:<{wide}}  {_in_short(read(name))}" for name in names())


def _in_short(scenario: Scenario) -> str:
    return f"{scenario.model:<6}  {scenario.seconds:>5} s  {scenario.title}"


def _plan(asked: Asked, scenario: Scenario, target: Target) -> Plan:
    tenants = prepare(target, scenario.seconds)
    if len(tenants) < 1 + scenario.has_whale:
        raise NoTarget(f"A whale needs others beside it; {target.api} has one demo tenant.")
    return Plan(
        run_id=uuid4().hex,
        seed=random.randrange(1_000_000) if asked.seed is None else asked.seed,
        scenario=scenario,
        tenants=tenants,
        workers=asked.workers,
    )


def _folder(scenario: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    return home_of() / "loads" / f"{Path(scenario).stem}-{stamp}"


def _announced(load: Load) -> str:
    plan = load.plan
    offered = (
        f"{plan.scenario.load:g} arrivals/s, at most {plan.scenario.in_flight} under way,"
        if plan.scenario.model is Model.OPEN
        else f"{plan.scenario.load:g} users"
    )
    return (
        f"{load.scenario}: {offered} on {len(plan.tenants)} tenants of {load.target.api} "
        f"for {plan.scenario.seconds} s; seed {plan.seed}"
    )


def _whence(model: Model) -> str:
    return "from the intended start" if model is Model.OPEN else "from when a call was sent"


def _could_not(why: str) -> NoReturn:
    click.echo(f"Cannot load the fleet: {why}", err=True)
    sys.exit(2)


if __name__ == "__main__":
    run_scenario(prog_name="python -m loadtests.run")
