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
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, repeat
from statistics import median
from typing import LiteralString
from uuid import UUID

import orjson
import psycopg

from loadtests.bench.caller import Script, closed_loop, request, with_keys
from loadtests.bench.fleet import Shard
from loadtests.bench.pgbench import PgBench
from loadtests.bench.processor import Family
from loadtests.bench.rounds import Form, Interval, by_turns, ratio
from loadtests.bench.servers import (
    ASYNCPG,
    FIXED,
    IDIOMATIC,
    OURS,
    PSYCOPG,
    Server,
    Servers,
)
from loadtests.results import aligned

READ, LIST, CREATE = "point read", "list of 50", "create"
_LEAD_SECONDS = 0.1
DATABASE = "pgbench"
"""The database alone: pgbench with the floor's statement."""

_NEW = orjson.dumps(
    {
        "original_name": "quarterly-invoice harbour 417.pdf",
        "mime_type": "application/pdf",
        "metadata": {"project": "p4711", "signed": True, "reference": 417, "tags": ["t7", "all"]},
    }
)
_PENDING: LiteralString = "SELECT EXISTS (SELECT FROM docshard.audit_pending)"


@dataclass(frozen=True, slots=True)
class Tenant:
    """One whose caller asks for its documents."""

    client_id: UUID
    key: str
    documents: Sequence[UUID]

    @property
    def path(self) -> str:
        """Where its documents are."""
        return f"/v1/clients/{self.client_id}/documents"


@dataclass(frozen=True, slots=True)
class Sample:
    """One round: answers a second, and microseconds of processor time for each."""

    rate: float
    server: float
    database: float
    callers: float


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
        # What is trusted for seconds has ended since the form's last turn: it is asked for first,
        # as it would be now and then in a steady load.
        await closed_loop(server.port, scripts, _LEAD_SECONDS)
        # Looking at others takes time of ours, so we look at ourselves in between.
        counted = [server.family.nanoseconds, self.postgres.nanoseconds]
        before = [*(count() for count in counted), time.process_time_ns()]
        load = await closed_loop(server.port, scripts, self.seconds)
        own = time.process_time_ns()
        after = [*(count() for count in counted), own]
        spent = [now - was for now, was in zip(after, before, strict=True)]
        if name == CREATE and form in {OURS, FIXED}:
            await asyncio.to_thread(self._await_links)
        return Sample(load.answers / load.seconds, *(ns / load.answers / 1000 for ns in spent))

    async def _of_database(self, name: str) -> Sample:
        before = self.postgres.nanoseconds()
        ran = await asyncio.to_thread(self.pgbench.run, name, self.tenants[0])
        spent = self.postgres.nanoseconds() - before
        return Sample(ran.per_second, 0.0, spent / ran.transactions / 1000, 0.0)

    def _bearer(self, form: str, tenant: Tenant) -> str:
        return self.servers.token(str(tenant.client_id)) if form == IDIOMATIC else tenant.key

    def _await_links(self) -> None:
        """Until the worker has linked what was written: else it would do so in the turn of the
        next form."""
        worker = self.shard.conninfo("docshard_worker", "DOCSHARD_WORKER_PASSWORD")
        with psycopg.connect(worker, autocommit=True) as connection:
            while connection.execute(_PENDING).fetchone() != (False,):
                time.sleep(0.05)


def _reads(tenant: Tenant, bearer: str) -> Script:
    asked = [request("GET", f"{tenant.path}/{one}", bearer) for one in tenant.documents]
    return Script(cycle(asked), 200)


def _lists(tenant: Tenant, bearer: str) -> Script:
    return Script(repeat(request("GET", f"{tenant.path}?limit=50", bearer)), 200)


def _creates(tenant: Tenant, bearer: str) -> Script:
    """With a key, which the peers pass over: only ours keeps it."""
    return Script(with_keys(request("POST", tenant.path, bearer, _NEW)), 201)


_SCRIPTS: Mapping[str, Callable[[Tenant, str], Script]] = {
    READ: _reads,
    LIST: _lists,
    CREATE: _creates,
}

__all__ = [
    "ASYNCPG",
    "CREATE",
    "DATABASE",
    "FIXED",
    "IDIOMATIC",
    "LIST",
    "OURS",
    "PSYCOPG",
    "READ",
    "Bench",
    "Measured",
    "Sample",
    "Server",
    "Tenant",
]
