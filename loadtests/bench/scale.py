"""What growth costs a request: `python -m loadtests.bench.scale`.

Two throwaway fleets take turns. One stays as small as it began; the other grows step by step, and
keeps what it grew by: tenants in the directory, documents of the tenant that is asked, shards in
the catalog, of which two live. Compared, round by round, is what a request takes of the processors:
the router and its databases together. With the large fleet it may be a tenth more.

The routers trust a placement for a millisecond: so every request asks the directory, as the first
one of each tenant does. Asked are documents of one tenant, whose number grows, and lists of many
tenants in turn, all of whom a router remembers; its memory is told, too.

Exit status 1 when a goal is missed.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle
from statistics import median
from typing import LiteralString
from uuid import UUID

import click
import httpx
import uvloop

from loadtests.bench.caller import Script, closed_loop, request
from loadtests.bench.fleet import NoFleet, Shard, throwaway_fleet
from loadtests.bench.goals import Goal, faults, judged, verdict_table
from loadtests.bench.paths import CREATE, LIST, READ, await_links, creates, lists, reads
from loadtests.bench.processor import Family
from loadtests.bench.rounds import Interval
from loadtests.bench.sample import Sample, taken
from loadtests.bench.servers import OURS, Server, serving
from loadtests.bench.stage import file_more
from loadtests.bench.tenants import Tenant, administrator, new_tenants
from loadtests.results import aligned

MOST = 1.1
"""What a request of the large fleet may take, times that of the small one."""
CALLERS = 8
SMALL_TENANTS, SMALL_DOCUMENTS, LIVING_SHARDS = 1_000, 1_000, 2
_REMEMBERED = 20_000
"""Tenants of a fleet that are asked in turn."""
_IN_TURN = "tenants in turn"

_TENANTS: LiteralString = """
    INSERT INTO docshard.clients (id, code, name, shard)
    SELECT gen_random_uuid(), 'grown-' || n, 'a tenant', %(shard)s
      FROM generate_series((SELECT count(*) FROM docshard.clients) + 1, %(tenants)s) AS n
"""
# Nobody listens there: routers look for them again and again, as for shards that are down.
_SHARDS: LiteralString = """
    INSERT INTO docshard.shards (name, nodes, schema_revision)
    SELECT 'shard-' || n, '[{"name": "away", "host": "127.0.0.1", "port": 9}]',
           (SELECT max(schema_revision) FROM docshard.shards)
      FROM generate_series((SELECT count(*) FROM docshard.shards) + 1, %(shards)s) AS n
"""
_SOME: LiteralString = "SELECT id FROM docshard.clients ORDER BY id LIMIT %s"
_ENTER: LiteralString = "SELECT set_config('app.client_id', %s::uuid::text, true)"
_DOCUMENTS: LiteralString = """
    SELECT id FROM docshard.documents WHERE client_id = %s AND deleted_at IS NULL
     ORDER BY md5(id::text) LIMIT 500
"""
_ADMIT: LiteralString = "SELECT docshard.admit(id, 1) FROM unnest(%s::uuid[]) AS id"


@dataclass(frozen=True, slots=True)
class Subject:
    """A fleet with the tenant in it that is asked, and the router that is measured."""

    directory: Shard
    shard: str
    """Where the tenant lives, and all others."""
    home: Shard
    """Its primary."""
    client_id: UUID
    key: str = field(repr=False)
    server: Server
    databases: Sequence[Family]
    """The directory's and the shard's."""

    def bearer(self) -> str:
        """An administrator's token, which reaches every tenant."""
        target = self.home.target
        who = {"email": target.email, "password": target.password}
        answer = httpx.post(f"{target.api}/v1/auth/login", json=who, trust_env=False)
        token: str = answer.raise_for_status().json()["access_token"]
        return token

    def tenant(self) -> Tenant:
        """The tenant with some of its documents, wherever they lie among the others."""
        with self.home.session("docshard_app") as app, app.transaction():
            app.execute(_ENTER, [self.client_id])
            some = [row[0] for row in app.execute(_DOCUMENTS, [self.client_id])]
        return Tenant(self.client_id, self.key, some)

    def several(self) -> list[UUID]:
        """The tenants that are asked in turn; they may live where they do."""
        with self.directory.session("docshard_admin") as directory:
            some = [row[0] for row in directory.execute(_SOME, [_REMEMBERED])]
        with self.home.session("docshard_app") as app:
            app.execute(_ADMIT, [some])
        return some


@dataclass(frozen=True, slots=True)
class Compared:
    """One kind of request: the rounds of the small fleet and of the grown one."""

    kind: str
    small: list[Sample]
    grown: list[Sample]

    @property
    def ratio(self) -> Interval:
        """What a request of the grown fleet takes, times that of the small one."""
        pairs = zip(self.grown, self.small, strict=True)
        return Interval.of([_cost(grown) / _cost(small) for grown, small in pairs])

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
    "--documents", type=click.IntRange(SMALL_DOCUMENTS), default=1_000_000, show_default=True
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
    try:
        with small_fleet() as small, small_fleet() as grown:
            for step, grow in steps.items():
                grow(grown)
                found = uvloop.run(compared(small, grown, rounds, seconds))
                click.echo(f"\n{step}\n{_table(found)}")
                click.echo(f"MiB of the routers: {_mib(small)}, grown {_mib(grown)}")
                figures |= {f"{step}, {one.kind}": one.ratio for one in found}
    except NoFleet as error:
        raise click.ClickException(str(error)) from error
    verdicts = judged(figures, [Goal(figure, MOST, most=True) for figure in figures], None)
    click.echo(f"\nThe grown fleet's request, times the small one's\n{verdict_table(verdicts)}")
    if wrong := faults(verdicts):
        raise click.ClickException("; ".join(wrong))


def more_tenants(grown: Subject, number: int) -> None:
    """Put tenants into the directory, until it has so many."""
    with grown.directory.session("docshard_admin") as directory:
        directory.execute(_TENANTS, {"tenants": number, "shard": grown.shard})
        directory.execute("SET ROLE docshard_owner")
        directory.execute("VACUUM (ANALYZE) docshard.clients")


def more_documents(grown: Subject, number: int) -> None:
    """File documents of the tenant that is asked."""
    file_more(grown.home, grown.client_id, number)


def more_shards(grown: Subject, number: int) -> None:
    """Register shards that nobody serves, until there are so many."""
    with grown.directory.session("docshard_admin") as directory:
        directory.execute(_SHARDS, {"shards": number})


@contextmanager
def small_fleet() -> Iterator[Subject]:
    """A small fleet.

    Raises:
        NoFleet.
    """
    with ExitStack() as stack:
        made = stack.enter_context(throwaway_fleet(LIVING_SHARDS))
        [(client_id, key)] = new_tenants(made.target, 1).items()
        with administrator(made.target) as api:
            shard = api.get_placement(client_id).shard
        home = made.shard(shard)
        file_more(home, client_id, SMALL_DOCUMENTS)
        variables = {**made.variables, "DOCSHARD_PLACEMENT_LEASE_SECONDS": "0.001"}
        fleet = replace(made, variables=variables)
        servers = stack.enter_context(serving(fleet, home, [OURS]))
        small = Subject(
            fleet.global_database(),
            shard,
            home,
            client_id,
            key,
            servers.by_name[OURS],
            [Family(fleet.process(f"{name}-primary")) for name in ("global", shard)],
        )
        more_tenants(small, SMALL_TENANTS)
        yield small


async def compared(
    small: Subject, grown: Subject, rounds: int, seconds: float
) -> Sequence[Compared]:
    """Every kind of request, of both fleets by turns, after a round that only warms up."""
    scripts = [await asyncio.to_thread(_scripts, one) for one in (small, grown)]
    for one, kinds in zip((small, grown), scripts, strict=True):
        await _all_at_least_once(one, kinds[_IN_TURN])
    found = {kind: Compared(kind, [], []) for kind in scripts[0]}
    for number in range(rounds + 1):
        for kind, pair in found.items():
            of_small = await _round(small, kind, scripts[0][kind], seconds)
            of_grown = await _round(grown, kind, scripts[1][kind], seconds)
            if number:
                pair.small.append(of_small)
                pair.grown.append(of_grown)
    return list(found.values())


async def _round(one: Subject, kind: str, scripts: Sequence[Script], seconds: float) -> Sample:
    sample = await taken(one.server, one.databases, scripts, seconds)
    if kind == CREATE:
        await asyncio.to_thread(await_links, one.home)
    return sample


async def _all_at_least_once(one: Subject, scripts: Sequence[Script]) -> None:
    """Ask until the router has heard of all tenants."""
    answers = 0
    while answers < _REMEMBERED:
        answers += (await closed_loop(one.server.port, scripts, 1.0)).answers


def _scripts(one: Subject) -> dict[str, Sequence[Script]]:
    tenant, bearer, several = one.tenant(), one.bearer(), one.several()
    return {
        READ: [reads(tenant, tenant.key) for _ in range(CALLERS)],
        LIST: [lists(tenant, tenant.key) for _ in range(CALLERS)],
        CREATE: [creates(tenant, tenant.key) for _ in range(CALLERS)],
        _IN_TURN: [_in_turn(several[place::CALLERS], bearer) for place in range(CALLERS)],
    }


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
