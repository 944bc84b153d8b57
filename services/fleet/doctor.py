"""What is wrong with the databases, or will be: facts gathered, then judged by pure rules."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import psycopg

from global_db.cluster import Cluster
from global_db.errors import ClusterError
from global_db.inspection import ClockSeen, ServerFacts, Slot, Standby, inspect
from services.fleet import migrate
from services.fleet.finding import Finding
from services.fleet.migrate import SchemaState
from services.fleet.sweeps import months_ahead
from services.resources import Data
from shards.copying.batch import Stream

__all__ = ["ClusterFacts", "ServerFacts", "Slot", "Standby"]

_OLDEST = 15
_EXTENSIONS = ("btree_gin", "pg_trgm")
_MONTHS_AHEAD = 1  # the worker makes three: with less than one it has not run for long
_CLOCK_SECONDS = 1.0
_LAG_SECONDS = 5.0
_LAG_BYTES = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """One cluster's servers by name; None for one that did not answer."""

    name: str
    servers: Mapping[str, ServerFacts | None]


@dataclass(frozen=True, slots=True)
class Examination:
    """What was looked at, and what was found."""

    clusters: tuple[ClusterFacts, ...]
    schemas: tuple[SchemaState, ...]
    findings: tuple[Finding, ...]


async def examine(data: Data) -> Examination:
    """Ask every server of every cluster, and judge. A server that is away is a finding."""
    try:
        schemas = await migrate.status(data)
    except ClusterError as error:
        schemas = [SchemaState("global", None, (), str(error))]
    clusters = [data.global_db]
    clusters += [data.registry.any_cluster(shard.name) for shard in data.registry.shards()]
    facts = await asyncio.gather(*(ask(cluster) for cluster in clusters))
    today = datetime.now(UTC).date()
    findings = [finding for one in facts for finding in judge(one, today)]
    findings += judge_clocks(facts)
    findings += judge_schemas(schemas)
    return Examination(tuple(facts), tuple(schemas), tuple(findings))


def judge(cluster: ClusterFacts, today: date) -> Iterator[Finding]:
    """What is wrong with one cluster's servers."""
    for name, server in cluster.servers.items():
        if server is None:
            yield Finding(name, "does not answer", "start it, or look at its log")
        else:
            yield from _judge_server(name, server)
    answering = {name: server for name, server in cluster.servers.items() if server}
    primaries = {name: server for name, server in answering.items() if not server.in_recovery}
    if len(primaries) > 1:
        yield Finding(cluster.name, f"has two primaries: {', '.join(primaries)}", "stop the older")
    if not primaries:
        yield Finding(cluster.name, "has no primary", "writes are refused until it has one")
    for name, primary in primaries.items():
        yield from _judge_primary(name, primary, len(answering) - len(primaries), today)


def judge_clocks(clusters: Sequence[ClusterFacts]) -> Iterator[Finding]:
    """Whose clock is apart from the global database's: the first cluster's, its primary's."""
    servers = [(name, one) for facts in clusters for name, one in facts.servers.items() if one]
    of_global = [one for one in clusters[0].servers.values() if one]
    reference = next((one for one in of_global if not one.in_recovery), None)
    if reference is not None:
        for name, server in servers:
            yield from judge_clock(name, server.clock, reference.clock)


def judge_clock(name: str, clock: ClockSeen, reference: ClockSeen) -> Iterator[Finding]:
    """Whether a server's clock is apart from the global database's."""
    if (apart := clock.apart(reference)) > _CLOCK_SECONDS:
        what = f"has a clock {apart:.1f} s apart from the global database's"
        yield Finding(name, what, "let both follow NTP")


def judge_schemas(schemas: Sequence[SchemaState]) -> Iterator[Finding]:
    """What is wrong with the schemas."""
    for schema in schemas:
        if schema.error is not None:
            yield Finding(schema.name, f"its schema cannot be read: {schema.error}", "mend that")
        elif schema.pending:
            what = f"its schema lacks {', '.join(schema.pending)}"
            yield Finding(schema.name, what, "run `docshard migrate up`")


def _judge_server(name: str, server: ServerFacts) -> Iterator[Finding]:
    if server.major < _OLDEST:
        yield Finding(name, f"is PostgreSQL {server.version}", f"upgrade to {_OLDEST} or newer")
    if server.wal_level != "logical":
        what = f"has wal_level {server.wal_level}: tenants cannot move"
        yield Finding(name, what, "set wal_level = logical and restart it")
    missing = [extension for extension in _EXTENSIONS if extension not in server.extensions]
    if missing:
        what = f"lacks the extensions {', '.join(missing)}"
        yield Finding(name, what, "install them as superuser: CREATE EXTENSION")


def _judge_primary(
    name: str, primary: ServerFacts, replicas: int, today: date
) -> Iterator[Finding]:
    streaming = [standby for standby in primary.standbys if standby.state == "streaming"]
    if len(streaming) < replicas:
        what = f"feeds {len(streaming)} of {replicas} replicas"
        yield Finding(name, what, "look at the logs of the replicas")
    for standby in streaming:
        yield from _judge_lag(standby)
    for slot in primary.slots:
        yield from _judge_slot(name, slot)
    yield from _judge_partitions(name, primary, today)


def _judge_lag(standby: Standby) -> Iterator[Finding]:
    seconds, size = standby.lag_seconds or 0.0, standby.lag_bytes or 0.0
    if seconds > _LAG_SECONDS or size > _LAG_BYTES:
        what = f"is {seconds:.0f} s and {size / 1024**2:.0f} MiB behind its primary"
        yield Finding(standby.name, what, "look for long queries on it, and at its disk")


def _judge_slot(name: str, slot: Slot) -> Iterator[Finding]:
    if slot.wal_status == "lost":
        what = f"has thrown away WAL that the slot {slot.name} needs"
        yield Finding(name, what, "make that replica anew, and drop the slot")
    elif not slot.active and Stream.named(slot.name) is None:
        # Those of moves rest at times; `placement_doctor` knows which of them nobody needs.
        what = f"keeps WAL for the slot {slot.name}, which nobody reads"
        yield Finding(name, what, "start its reader, or drop the slot")


def _judge_partitions(name: str, primary: ServerFacts, today: date) -> Iterator[Finding]:
    wanted = [f"audit_logs_{month:%Y_%m}" for month in months_ahead(today, _MONTHS_AHEAD)]
    missing = [partition for partition in wanted if partition not in primary.partitions]
    if primary.partitions and missing:
        yield Finding(name, f"lacks {', '.join(missing)}", "see that `docshard worker` runs")
    if primary.stray_audit_rows:
        what = "has audit rows in the DEFAULT partition"
        yield Finding(name, what, "their month cannot be attached until they are moved")


async def ask(cluster: Cluster) -> ClusterFacts:
    """Ask every server of a cluster, past any pooler."""
    answers = await asyncio.gather(
        *(_inspected(cluster.login.direct(address)) for address in cluster.addresses)
    )
    names = (address.name for address in cluster.addresses)
    return ClusterFacts(cluster.name, dict(zip(names, answers, strict=True)))


async def _inspected(conninfo: str) -> ServerFacts | None:
    try:
        async with asyncio.timeout(5):
            return await inspect(conninfo)
    except (psycopg.Error, OSError, TimeoutError):
        return None
