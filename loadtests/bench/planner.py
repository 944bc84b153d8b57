"""How long planning takes, and how much memory: `python -m loadtests.bench.planner`.

The command itself is measured, as an operator runs it: it reads every client with its statistics
from the global database and plans each goal. Clients and shards are rows of the directory alone;
nobody serves them. The shards are full in uneven ways, and tenants of very different sizes.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

import click
import psycopg

from loadtests.bench.fleet import NoFleet, Shard, throwaway_shard
from loadtests.results import aligned

GOALS = ("ring", "load", "drain")
MOST_SECONDS, MOST_MIB = 60, 2048

_SHARDS: LiteralString = """
    INSERT INTO docshard.shards (name, nodes, status)
    SELECT 'shard-' || n, '[]', CASE WHEN mod(n, 100) = 0 THEN 'draining' ELSE 'active' END
      FROM generate_series(2, %(shards)s) AS n
"""
_CLIENTS: LiteralString = """
    INSERT INTO docshard.clients (id, code, name, shard, pinned)
    SELECT gen_random_uuid(), 'client-' || n, 'a client',
           'shard-' || 1 + floor(%(shards)s * power(random(), 1.3)), random() < 0.01
      FROM generate_series(1, %(clients)s) AS n
"""
_SIZES: LiteralString = """
    INSERT INTO docshard.client_sizes (client_id, rows, bytes)
    SELECT id, size / 500, size
      FROM (SELECT id, exp(13 + 1.5 * (random() + random() + random() - 1.5) * 2)::bigint AS size
              FROM docshard.clients) AS drawn
"""
_RATES: LiteralString = """
    INSERT INTO docshard.client_rates (client_id, reads_level, writes_level)
    SELECT id, level + 3 * (random() + random() + random()), level + 2 * random()
      FROM docshard.clients, (SELECT extract(epoch FROM now()) / 120 - 6 AS level) AS now
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One goal's plan, and what it cost."""

    goal: str
    seconds: float
    cpu_seconds: float
    """Of the command alone; with much less than `seconds` the machine was busy with other work."""
    mib: float
    clients: int
    batches: int
    before: float
    after: float

    def row(self) -> tuple[str, ...]:
        """Cells of the table."""
        return (
            self.goal,
            f"{self.seconds:.1f}",
            f"{self.cpu_seconds:.1f}",
            f"{self.mib:,.0f}",
            f"{self.clients:,}",
            f"{self.batches:,}",
            f"{self.before:.2f}",
            f"{self.after:.2f}",
        )


def fill(shard: Shard, clients: int, shards: int) -> None:
    """Put the rows into the directory."""
    variables = shard.variables
    [node] = json.loads(variables["DOCSHARD_GLOBAL_NODES"])[:1]
    conninfo = (
        f"host={node['host']} port={node['port']} dbname={variables['DOCSHARD_DATABASE']} "
        f"user=docshard_admin password={variables['DOCSHARD_ADMIN_DB_PASSWORD']}"
    )
    with psycopg.connect(conninfo, autocommit=True) as admin:
        # The router would hear of each shard and look for its servers.
        admin.execute("ALTER TABLE docshard.shards DISABLE TRIGGER announce_shard")
        for statement in (_SHARDS, _CLIENTS, _SIZES, _RATES):
            admin.execute(statement, {"clients": clients, "shards": shards})
        admin.execute("ANALYZE")


def measure(variables: Mapping[str, str], goal: str) -> Run:
    """Run the command once; time and memory are the process's own."""
    command = [sys.executable, "-P", "-m", "deploy.cli.main", "rebalance", "plan"]
    began = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - our own interpreter, words and no shell
        [*command, "--goal", goal, "-o", "json"],
        stdout=subprocess.PIPE,
        env={**os.environ, **variables},
    ) as process:
        if process.stdout is None:
            raise NoFleet("the command has no output")
        head, batches = _read(process.stdout)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise NoFleet(f"the plan for {goal} failed, after {time.perf_counter() - began:.0f} s")
    plan: dict[str, Any] = json.loads(head)["plan"]
    imbalance = plan["imbalance"]
    return Run(
        goal,
        time.perf_counter() - began,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss / 1024,
        plan["clients"],
        batches,
        imbalance["before"]["bytes"],
        imbalance["after"]["bytes"],
    )


def _read(lines: Iterable[bytes]) -> tuple[bytes, int]:
    """The document without its batches, and how many they are: one in a line.

    Half a million at once would make this process large, and what a child takes is never told as
    less than its parent.
    """
    head, batches = [], 0
    for line in lines:
        if line.startswith(b'{"source"'):
            batches += 1
        else:
            head.append(line)
    return b"".join(head), batches


@click.command(help="Measure what planning a large fleet takes.")
@click.option("--clients", type=click.IntRange(1), default=1_000_000, show_default=True)
@click.option("--shards", type=click.IntRange(2), default=1_000, show_default=True)
def main(clients: int, shards: int) -> None:
    """Start a fleet, fill its directory, plan, print."""
    try:
        with throwaway_shard() as shard:
            fill(shard, clients, shards)
            runs = [measure(shard.variables, goal) for goal in GOALS]
    except NoFleet as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Plans for {clients:,} clients on {shards:,} shards, a hundredth draining")
    heads = (
        "goal",
        "seconds",
        "of CPU",
        "MiB",
        "clients moved",
        "batches",
        "bytes max/mean",
        "then",
    )
    click.echo(aligned([heads, *(run.row() for run in runs)]))
    for run in runs:
        if run.seconds > MOST_SECONDS or run.mib > MOST_MIB:
            raise click.ClickException(f"{run.goal} took more than it may")


if __name__ == "__main__":
    main()
