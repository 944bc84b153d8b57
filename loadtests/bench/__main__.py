"""Run the benchmarks on a throwaway fleet and print them: `python -m loadtests.bench`.

Exit status 1 when a goal is missed, or a ratio is far below the committed baseline's.
"""

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import uvloop

from loadtests.bench import fence, steady
from loadtests.bench.fleet import NoFleet, Shard
from loadtests.bench.goals import Baseline, Goal, faults, judged, verdict_table
from loadtests.bench.paths import CREATE, DATABASE, LIST, READ, Bench, Measured, Tenant
from loadtests.bench.pgbench import PgBench
from loadtests.bench.processor import Family
from loadtests.bench.rounds import Interval, ratio, table
from loadtests.bench.servers import ASYNCPG, FIXED, IDIOMATIC, OURS, PSYCOPG, ROOT, serving
from loadtests.bench.stage import Stage, file_more, new_tenants, stage

BASELINE = Path(__file__).with_name("baseline.json")
_FENCE = "writes with the fence / without"
_SEARCH = "fuzzy search p95, ms"

GOALS = (
    Goal(f"{READ} / {PSYCOPG}", 0.75),
    Goal(f"{READ} / {ASYNCPG}", 0.6),
    Goal(f"{READ} / {IDIOMATIC}", 4),
    # Routing, placement and token check may take a twentieth of a read.
    Goal(f"{READ} / {FIXED}", 0.95),
    Goal(f"{CREATE} / {PSYCOPG}", 0.7),
    Goal(f"{CREATE} / {IDIOMATIC}", 3),
    Goal(f"{LIST} / {PSYCOPG}", 0.7),
    Goal(_FENCE, fence.GOAL),
    Goal(_SEARCH, steady.GOAL_MS, most=True),
)
_PEERS = (OURS, PSYCOPG, ASYNCPG, IDIOMATIC)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: everything, or what is judged and soon done."""

    rounds: int
    seconds: float
    rows: int
    forms: Mapping[str, Sequence[str]]
    searches: bool

    @property
    def goals(self) -> list[Goal]:
        """What can be judged."""
        return [goal for goal in GOALS if self.searches or goal.figure != _SEARCH]


FULL = Plan(
    rounds=15,
    seconds=2.0,
    rows=100_000,
    forms={
        READ: (*_PEERS, FIXED, DATABASE),
        LIST: (*_PEERS, DATABASE),
        CREATE: (*_PEERS, DATABASE),
    },
    searches=True,
)
QUICK = Plan(
    rounds=5,
    seconds=0.3,
    rows=8_000,
    forms={
        READ: (*_PEERS, FIXED),
        LIST: (OURS, PSYCOPG),
        CREATE: (OURS, PSYCOPG, IDIOMATIC),
    },
    searches=False,
)


@click.command(help="Measure the hot paths against their peers, and judge the ratios.")
@click.option("--quick", is_flag=True, help="Only what is judged, in short rounds.")
@click.option("--poolers", is_flag=True, help="Leave PgBouncer before our databases: no goals.")
@click.option("--keep", is_flag=True, help="Make these ratios the baseline.")
def main(quick: bool, poolers: bool, keep: bool) -> None:
    """Start a fleet, measure, print, judge."""
    plan = QUICK if quick else FULL
    try:
        with stage(plan.rows, poolers=poolers) as made:
            figures = uvloop.run(_measured(made, plan))
    except NoFleet as error:
        raise click.ClickException(str(error)) from error
    baseline = None if quick or poolers else _baseline()
    verdicts = judged(figures, () if poolers else plan.goals, baseline)
    click.echo(f"\n{verdict_table(verdicts)}")
    if keep:
        _keep(figures)
    if wrong := faults(verdicts):
        raise click.ClickException("; ".join(wrong))


async def _measured(made: Stage, plan: Plan) -> dict[str, Interval]:
    figures: dict[str, Interval] = {}
    names = {form for forms in plan.forms.values() for form in forms if form != DATABASE}
    with serving(made.fleet, made.shard, sorted(names)) as servers:
        app = made.shard.conninfo("docshard_app", "DOCSHARD_APP_PASSWORD")
        bench = Bench(
            shard=made.shard,
            servers=servers,
            tenants=made.tenants,
            postgres=Family(made.postgres),
            pgbench=PgBench(made.programs / "pgbench", app, round(plan.seconds)),
            rounds=plan.rounds,
            seconds=plan.seconds,
        )
        for name, forms in plan.forms.items():
            figures |= _told(await bench.path(name, forms))
        if plan.searches:
            figures[_SEARCH] = await _searched(made.shard, servers.by_name[OURS].port, made.tenants)
    figures[_FENCE] = await _fence(made.shard, plan)
    return figures


def _told(measured: Measured) -> dict[str, Interval]:
    click.echo(f"\n{measured.table()}")
    others = [form for form in measured.forms if form not in {OURS, DATABASE}]
    return {f"{measured.name} / {form}": measured.ratio(OURS, form) for form in others}


async def _fence(shard: Shard, plan: Plan) -> Interval:
    forms = await fence.measure(shard, plan.rounds, min(plan.seconds, 0.7))
    click.echo(f"\nOne-row write transactions, {fence.CONNECTIONS} connections")
    click.echo(table(forms))
    return ratio(forms[-1], forms[0])


async def _searched(shard: Shard, port: int, others: Sequence[Tenant]) -> Interval:
    ((client_id, key),) = new_tenants(shard, 1).items()
    file_more(shard, client_id, steady.ROWS)
    found = await steady.searching(port, Tenant(client_id, key, ()), others, seconds=30)
    click.echo(
        f"\n{found.searches} fuzzy searches among {steady.ROWS:,} documents, "
        f"{steady.PER_SECOND} a second beside {steady.READS_PER_SECOND} reads: "
        f"p50 {found.middle:.1f} ms, p95 {found.high:.1f} ms"
    )
    return Interval(found.high, found.high, found.high)


def _baseline() -> Baseline | None:
    if not BASELINE.is_file():
        return None
    found = Baseline.model_validate_json(BASELINE.read_bytes())
    if found.speaks_of(_machine()):
        return found
    click.echo(f"The baseline is of {found.machine}, this is {_machine()}: not compared", err=True)
    return None


def _keep(figures: Mapping[str, Interval]) -> None:
    only_ratios = {name: found for name, found in figures.items() if name != _SEARCH}
    made = Baseline.taken(only_ratios, _commit(), datetime.now(UTC).date(), _machine())
    BASELINE.write_text(made.model_dump_json(indent=2) + "\n")


def _machine() -> str:
    return f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - words and no shell
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
