"""Where the time of a routed read goes: `python -m loadtests.bench.profile`.

A fleet of its own, the router in it as its command runs it, asked by the callers of the benchmarks;
a timer looks at its stack (see `loadtests.bench.sampled`). With 4 ms between two looks, ten
seconds tell an item of a tenth to within a hundredth of all.
"""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import orjson
import uvloop

from loadtests.bench.fleet import NoFleet
from loadtests.bench.items import Cost, by_function, by_item
from loadtests.bench.paths import LIST, READ, lists, reads
from loadtests.bench.sample import taken
from loadtests.bench.sampled import INTO, MODULE
from loadtests.bench.servers import SAMPLED, Server, serving
from loadtests.bench.stage import Stage, stage
from loadtests.bench.waiting import awaited
from loadtests.results import aligned

_SCRIPTS = {READ: reads, LIST: lists}
_WARM_SECONDS = 1.0
_WRITTEN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Profile:
    """What a request of one path takes of the router: microseconds, and how often it was seen."""

    path: str
    micros: float
    looks: int
    items: Sequence[Cost]
    functions: Sequence[Cost]

    def table(self, functions: int) -> str:
        """Its items, and so many of its dearest functions."""
        head = (f"{self.path}, {self.looks:,} looks", "µs", "%")
        rows = [_row(one) for one in (*self.items, Cost("all", self.micros, 1.0))]
        dear = [_row(one) for one in self.functions[:functions]]
        return aligned([head, *rows, ("", "", ""), *dear])


def _row(cost: Cost) -> tuple[str, str, str]:
    return cost.name, f"{cost.micros:.0f}", f"{cost.part:.1%}"


@click.command(help="Measure what a routed read, and a page of 50, spend their time on.")
@click.option("--seconds", default=20.0, help="Of each.", show_default=True)
@click.option("--rows", default=8_000, help="Documents in the shard.", show_default=True)
@click.option("--functions", default=12, help="Dearest functions to name.", show_default=True)
def main(seconds: float, rows: int, functions: int) -> None:
    """Start a fleet, measure, print."""
    try:
        with stage(rows) as made, TemporaryDirectory(prefix="docshard-bench-") as folder:
            found = uvloop.run(_profiles(made, Path(folder, "seen.json"), seconds))
    except NoFleet as error:
        raise click.ClickException(str(error)) from error
    for one in found:
        click.echo(f"\n{one.table(functions)}")


async def _profiles(made: Stage, into: Path, seconds: float) -> list[Profile]:
    told = {**made.fleet.variables, MODULE: "router", INTO: str(into)}
    with serving(replace(made.fleet, variables=told), made.shard, [SAMPLED]) as servers:
        server = servers.by_name[SAMPLED]
        return [await _profile(made, server, into, path, seconds) for path in _SCRIPTS]


async def _profile(made: Stage, server: Server, into: Path, path: str, seconds: float) -> Profile:
    scripts = [_SCRIPTS[path](tenant, tenant.key) for tenant in made.tenants]
    await taken(server, [], scripts, _WARM_SECONDS)
    os.kill(server.family.pid, signal.SIGUSR1)
    sample = await taken(server, [], scripts, seconds)
    os.kill(server.family.pid, signal.SIGUSR1)
    seen = _taken_from(into)
    return Profile(
        path,
        sample.server,
        sum(times for _, times in seen),
        by_item(seen, sample.server),
        by_function(seen, sample.server),
    )


def _taken_from(into: Path) -> list[Any]:
    awaited(into.exists, _WRITTEN_SECONDS, "what was seen is written")
    seen: list[Any] = orjson.loads(into.read_bytes())
    into.unlink()
    return seen


if __name__ == "__main__":
    main()
