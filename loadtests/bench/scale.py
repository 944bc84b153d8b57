"""What growth costs a request: `python -m loadtests.bench.scale`.

Two throwaway fleets take turns. One stays as small as it began; the other grows step by step, and
keeps what it grew by: tenants in the directory, documents of the tenant that is asked, shards in
the catalog, of which two live. Compared, round by round, is what a request takes of the processors:
the router and its databases together. With the large fleet it may be a tenth more, beyond what the
two differed by before either had grown.

Every request asks the directory, as the first one of each tenant does. Asked are documents of one
tenant, whose number grows, and lists of many tenants in turn, all of whom a router remembers; its
memory is told, too.

Exit status 1 when a goal is missed.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from statistics import median
from typing import Self
from uuid import UUID

import click
import uvloop

from loadtests.bench.caller import Script, closed_loop, request
from loadtests.bench.fleet import NoFleet
from loadtests.bench.goals import Goal, faults, judged, verdict_table
from loadtests.bench.growing import (
    LIVING_SHARDS,
    SMALL_DOCUMENTS,
    SMALL_TENANTS,
    Subject,
    more_documents,
    more_shards,
    more_tenants,
    small_fleet,
)
from loadtests.bench.paths import CREATE, LIST, READ, await_links, creates, lists, reads
from loadtests.bench.rounds import Interval
from loadtests.bench.sample import Sample, taken
from loadtests.bench.tenants import Tenant
from loadtests.results import aligned

MOST = 1.1
"""What a request of the large fleet may take, times that of the small one."""
CALLERS = 8
_IN_TURN = "tenants in turn"


@dataclass(frozen=True, slots=True)
class Compared:
    """One kind of request: the rounds of the small fleet and of the grown one."""

    kind: str
    small: list[Sample]
    grown: list[Sample]

    def ratio(self, before: float = 1) -> Interval:
        """What a request of the grown fleet takes, times that of the small one; `before`: times
        what it took when both were as small. For two processes of one program differ, too."""
        pairs = zip(self.grown, self.small, strict=True)
        return Interval.of([_cost(grown) / _cost(small) / before for grown, small in pairs])

    def row(self) -> tuple[str, ...]:
        """Medians: microseconds of both processors, milliseconds from request to answer."""
        figures: Sequence[Callable[[Sample], float]] = (
            lambda one: one.server,
            lambda one: one.database,
            lambda one: 1000 * CALLERS / one.rate,
        )
        sides = (self.small, self.grown)
        medians = (median(map(figure, side)) for figure in figures for side in sides)
        return self.kind, *(
            f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in medians
        )


def _cost(sample: Sample) -> float:
    return sample.server + sample.database


@click.command(help="Measure what growth of directory, tenants and catalog costs a request.")
@click.option("--tenants", type=click.IntRange(SMALL_TENANTS), default=1_000_000, show_default=True)
@click.option(
    "--documents", type=click.IntRange(2 * SMALL_DOCUMENTS), default=1_000_000, show_default=True
)
@click.option("--shards", type=click.IntRange(LIVING_SHARDS), default=64, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=9, show_default=True)
@click.option("--seconds", type=float, default=1.0, show_default=True, help="Of each round.")
def main(tenants: int, documents: int, shards: int, rounds: int, seconds: float) -> None:
    """Start two fleets, let one grow, print, judge."""
    steps: Mapping[str, Callable[[Subject], None]] = {
        "as small": lambda _: None,
        f"{tenants:,} tenants": partial(more_tenants, number=tenants),
        f"{documents:,} documents": partial(more_documents, number=documents),
        f"{shards} shards": partial(more_shards, number=shards),
    }
    figures: dict[str, Interval] = {}
    alike: dict[str, float] = {}
    try:
        with small_fleet() as small, small_fleet() as grown:
            for step, grow in steps.items():
                grow(grown)
                found = uvloop.run(compared(small, grown, rounds, seconds))
                click.echo(f"\n{step}\n{_table(found)}")
                click.echo(f"MiB of the routers: {_mib(small)}, grown {_mib(grown)}")
                if not alike:
                    alike = {one.kind: one.ratio().value for one in found}
                    told = ", ".join(f"{kind} {ratio:.2f}" for kind, ratio in alike.items())
                    click.echo(f"The second fleet's, times the first one's: {told}")
                else:
                    figures |= {f"{step}, {one.kind}": one.ratio(alike[one.kind]) for one in found}
    except NoFleet as error:
        raise click.ClickException(str(error)) from error
    verdicts = judged(figures, [Goal(figure, MOST, most=True) for figure in figures], None)
    click.echo(
        "\nThe grown fleet's request, times the small one's, times what it was before it grew\n"
        + verdict_table(verdicts)
    )
    if wrong := faults(verdicts):
        raise click.ClickException("; ".join(wrong))


@dataclass(frozen=True, slots=True)
class Asked:
    """What the callers send to a fleet, by kind, and how many tenants are asked in turn."""

    one: Subject
    scripts: Mapping[str, Sequence[Script]]
    tenants: int

    @classmethod
    def of(cls, one: Subject) -> Self:
        """Made anew for each step: what can be asked has grown."""
        tenant, bearer, several = one.tenant(), one.bearer(), one.several()
        scripts = {
            READ: [reads(tenant, tenant.key) for _ in range(CALLERS)],
            LIST: [lists(tenant, tenant.key) for _ in range(CALLERS)],
            CREATE: [creates(tenant, tenant.key) for _ in range(CALLERS)],
            _IN_TURN: [_in_turn(several[place::CALLERS], bearer) for place in range(CALLERS)],
        }
        return cls(one, scripts, len(several))

    async def all_tenants(self) -> None:
        """Until the router has heard of all of them."""
        answers = 0
        while answers < self.tenants:
            answers += (await closed_loop(self.one.server.port, self.scripts[_IN_TURN], 1)).answers

    async def round(self, kind: str, seconds: float) -> Sample:
        """One round of this kind."""
        one = self.one
        sample = await taken(one.server, one.databases, self.scripts[kind], seconds)
        if kind == CREATE:
            await asyncio.to_thread(await_links, one.home)
        return sample


async def compared(
    small: Subject, grown: Subject, rounds: int, seconds: float
) -> Sequence[Compared]:
    """Every kind of request, of both fleets by turns, after a round that only warms up."""
    sides = [await asyncio.to_thread(Asked.of, one) for one in (small, grown)]
    for side in sides:
        await side.all_tenants()
    found = [Compared(kind, [], []) for kind in sides[0].scripts]
    for number in range(rounds + 1):
        for one in found:
            of_small, of_grown = [await side.round(one.kind, seconds) for side in sides]
            if number:
                one.small.append(of_small)
                one.grown.append(of_grown)
    return found


def _in_turn(tenants: Sequence[UUID], bearer: str) -> Script:
    asked = [request("GET", f"{Tenant(one, '', ()).path}?limit=1", bearer) for one in tenants]
    return Script(cycle(asked), 200)


def _mib(one: Subject) -> str:
    return f"{one.server.family.mib():.0f}"


def _table(found: Sequence[Compared]) -> str:
    head = ("", "router µs", "grown", "database µs", "grown", "latency ms", "grown")
    return aligned([head, *(one.row() for one in found)])


if __name__ == "__main__":
    main()
