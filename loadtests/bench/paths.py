"""What the service's hot paths cost beside its peers': over HTTP, in one run, by turns.

Everybody has one process, reads and writes the same rows in one PostgreSQL server, and is asked by
the same callers. The service is the whole of it, as `python -m router` runs it: API keys, roles,
limits, quotas, placement, fence, row-level security, audit with its chain, Idempotency-Keys,
figures and logs; only the limits of requests are out of reach. It reaches its shard past PgBouncer,
as the peers do.

Besides requests a second, which is what is judged, each form's processor time for a request is
told: of its server, of PostgreSQL, and of the callers, who share the machine with both.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, repeat
from statistics import median
from typing import LiteralString

import orjson

from loadtests.bench.caller import Script, request, with_keys
from loadtests.bench.fleet import Shard
from loadtests.bench.pgbench import PgBench
from loadtests.bench.processor import Family
from loadtests.bench.rounds import Form, Interval, by_turns, ratio
from loadtests.bench.sample import Sample, taken
from loadtests.bench.servers import FIXED, IDIOMATIC, OURS, Servers
from loadtests.bench.tenants import Tenant
from loadtests.bench.waiting import awaited
from loadtests.results import aligned

READ, LIST, CREATE = "point read", "list of 50", "create"
DATABASE = "pgbench"
"""The database alone: pgbench with the floor's statement."""

_NEW = orjson.dumps(
    {
        "original_name": "quarterly-invoice harbour 417.pdf",
        "mime_type": "application/pdf",
        "metadata": {"project": "p4711", "signed": True, "reference": 417, "tags": ["t7", "all"]},
    }
)
_LINK_SECONDS = 300.0
_PENDING: LiteralString = "SELECT EXISTS (SELECT FROM docshard.audit_pending)"


@dataclass(frozen=True, slots=True)
class Measured:
    """One path: its forms, and their samples."""

    name: str
    forms: Mapping[str, Form]
    samples: Mapping[str, Sequence[Sample]]

    def ratio(self, name: str, other: str) -> Interval:
        """How much of the other's rate a form has."""
        return ratio(self.forms[name], self.forms[other])

    def table(self) -> str:
        """A line for each form; the ratio is ours to it."""
        head = (self.name, "per s", "spread", "docshard's", "server µs", "database µs", "client µs")
        return aligned([head, *map(self._row, self.forms.values())])

    def _row(self, form: Form) -> tuple[str, ...]:
        samples = self.samples[form.name]
        parts = [
            median(sample.server for sample in samples),
            median(sample.database for sample in samples),
            median(sample.callers for sample in samples),
        ]
        return (
            form.name,
            f"{form.median:,.0f}",
            f"{form.spread:.0%}",
            f"{ratio(self.forms[OURS], form).value:.2f}",
            *(f"{part:,.0f}" if part else "" for part in parts),
        )


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured on."""

    shard: Shard
    servers: Servers
    tenants: Sequence[Tenant]
    postgres: Family
    pgbench: PgBench
    rounds: int
    seconds: float
    """Of a round."""

    async def path(self, name: str, forms: Sequence[str]) -> Measured:
        """Measure one path in these forms, by turns."""
        samples: dict[str, list[Sample]] = {form: [] for form in forms}

        async def measure(form: str) -> float:
            sample = await self._sample(name, form)
            samples[form].append(sample)
            return sample.rate

        found = await by_turns(forms, measure, self.rounds)
        return Measured(
            name,
            {form.name: form for form in found},
            {form: taken[1:] for form, taken in samples.items()},
        )

    async def _sample(self, name: str, form: str) -> Sample:
        if form == DATABASE:
            return await self._of_database(name)
        server = self.servers.by_name[form]
        scripts = [_SCRIPTS[name](tenant, self._bearer(form, tenant)) for tenant in self.tenants]
        sample = await taken(server, [self.postgres], scripts, self.seconds)
        if name == CREATE and form in {OURS, FIXED}:
            await asyncio.to_thread(await_links, self.shard)
        return sample

    async def _of_database(self, name: str) -> Sample:
        before = self.postgres.nanoseconds()
        ran = await asyncio.to_thread(self.pgbench.run, name, self.tenants[0])
        spent = self.postgres.nanoseconds() - before
        return Sample(ran.per_second, 0.0, spent / ran.transactions / 1000, 0.0)

    def _bearer(self, form: str, tenant: Tenant) -> str:
        return self.servers.token(str(tenant.client_id)) if form == IDIOMATIC else tenant.key


def await_links(shard: Shard) -> None:
    """Until the worker has linked what was written: else it would do so in the turn of the next
    form."""
    with shard.session("docshard_worker") as connection:
        awaited(
            lambda: connection.execute(_PENDING).fetchone() == (False,),
            _LINK_SECONDS,
            "all rows are linked",
        )


def reads(tenant: Tenant, bearer: str) -> Script:
    """One document after the other."""
    asked = [request("GET", f"{tenant.path}/{one}", bearer) for one in tenant.documents]
    return Script(cycle(asked), 200)


def lists(tenant: Tenant, bearer: str) -> Script:
    """The newest page, again and again."""
    return Script(repeat(request("GET", f"{tenant.path}?limit=50", bearer)), 200)


def creates(tenant: Tenant, bearer: str) -> Script:
    """With a key, which the peers pass over: only ours keeps it."""
    return Script(with_keys(request("POST", tenant.path, bearer, _NEW)), 201)


_SCRIPTS: Mapping[str, Callable[[Tenant, str], Script]] = {
    READ: reads,
    LIST: lists,
    CREATE: creates,
}
