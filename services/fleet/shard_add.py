"""A cluster becomes a shard: looked at, migrated, registered. Nobody is moved."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from global_db import shard_catalog
from global_db.cluster import Cluster, Login, NodeAddress, PoolLimits
from global_db.errors import ClusterError
from global_db.inspection import ServerSetup, inspect_setup
from global_db.shard_catalog import Shard
from services.audit import Event, record_global
from services.failures import global_failures
from services.fleet import migrate, sweeps
from services.fleet.doctor import ask
from services.fleet.finding import Finding
from services.fleet.shard_checks import Candidate, Installation, Verdict, check
from services.fleet.shards import entity_of
from services.fleet.unmet import Unmet
from services.identity.principal import Origin
from services.resources import Data
from shards.history import HISTORY
from shards.occupancy import Occupancy, occupancy

_ANSWER_SECONDS = 5.0
_AT_ONCE = 16
_LOOK_AGAIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Offer:
    """A cluster that is offered as a shard.

    `logins` are roles of ours besides our own that must get in. `free_bytes` of the disk it
    writes to, None when nobody knows. A cluster that was started a moment ago is given
    `patience_seconds` to come together.
    """

    name: str
    nodes: Sequence[NodeAddress]
    weight: float = 1.0
    logins: tuple[Login, ...] = ()
    free_bytes: int | None = None
    patience_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Added:
    """The new shard, and what is worth knowing of it."""

    shard: Shard
    notes: tuple[Finding, ...]


async def names_taken(data: Data) -> set[str]:
    """Every name that a shard has or had.

    Raises:
        DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            return await shard_catalog.names(connection)


async def examine(data: Data, offer: Offer) -> Verdict:
    """Whether this cluster can become that shard; changes nothing.

    Raises:
        DirectoryUnavailable.
    """
    async with _opened(data, offer) as cluster:
        return await _examined(data, offer, cluster)


async def add(data: Data, offer: Offer, reason: str | None) -> Added:
    """Migrate the cluster's schema to this code and register it: then new clients may land there.

    It is registered in one statement with its revision, so no router ever knows it without its
    schema.

    Raises:
        Unmet: it cannot be a shard, or its schema could not be made.
        DirectoryUnavailable.
    """
    async with _opened(data, offer) as cluster:
        verdict = await _examined(data, offer, cluster)
        _demand(offer.name, verdict.refusals)
        revision = await _migrated(cluster)
        shard = await _registered(data, offer, revision, reason)
    with global_failures():
        await data.registry.refresh()
    return Added(shard, verdict.notes)


def _opened(data: Data, offer: Offer) -> Cluster:
    return Cluster(offer.name, offer.nodes, data.global_db.login, PoolLimits())


async def _examined(data: Data, offer: Offer, cluster: Cluster) -> Verdict:
    deadline = time.monotonic() + offer.patience_seconds
    installation = await _installation(data)
    while True:
        candidate = await _candidate(offer, cluster)
        verdict = check(candidate, installation, datetime.now(UTC).date())
        if not verdict.refusals or time.monotonic() > deadline:
            return verdict
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


async def _candidate(offer: Offer, cluster: Cluster) -> Candidate:
    answers = await asyncio.gather(*(_setup(cluster.login, node) for node in offer.nodes))
    by_name = {node.name: answer for node, answer in zip(offer.nodes, answers, strict=True)}
    held, revision = await _contents(cluster)
    return Candidate(
        name=offer.name,
        weight=offer.weight,
        facts=await ask(cluster),
        setups={name: one for name, one in by_name.items() if isinstance(one, ServerSetup)},
        faults={name: one for name, one in by_name.items() if isinstance(one, str)},
        occupancy=held,
        revision=revision,
        refused_roles=await _refused(offer, cluster),
        free_bytes=offer.free_bytes,
    )


async def _contents(cluster: Cluster) -> tuple[Occupancy, str | None]:
    """What it holds, and its schema's revision. Where that cannot be asked something is missing
    that other rules name: a primary, or what `prepare` makes."""
    try:
        async with cluster.read() as connection:
            held = await occupancy(connection)
        return held, await asyncio.to_thread(
            HISTORY.current, cluster.login.direct(cluster.primary_address())
        )
    except (ClusterError, SQLAlchemyError, psycopg.Error):
        return Occupancy(), None


async def _refused(offer: Offer, cluster: Cluster) -> tuple[str, ...]:
    """Roles of ours that the primary does not let in, by the way that they will take."""
    if not cluster.available:
        return ()
    address = cluster.primary_address()
    answers = await asyncio.gather(*(_lets_in(login.pooled(address)) for login in offer.logins))
    return tuple(
        login.role for login, there in zip(offer.logins, answers, strict=True) if not there
    )


async def _installation(data: Data) -> Installation:
    names = await names_taken(data)
    with global_failures():
        await data.registry.refresh()
    known = [data.registry.any_cluster(shard.name) for shard in data.registry.shards()]
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(cluster: Cluster) -> ServerSetup | None:
        async with limit:
            answers = [await _setup(cluster.login, node) for node in cluster.addresses]
        return next((answer for answer in answers if isinstance(answer, ServerSetup)), None)

    clusters = [data.global_db, *known]
    setups = await asyncio.gather(*(one(cluster) for cluster in clusters))
    by_name = {cluster.name: setup for cluster, setup in zip(clusters, setups, strict=True)}
    return Installation(frozenset(names), by_name, tuple(HISTORY.revisions()))


async def _setup(login: Login, node: NodeAddress) -> ServerSetup | str:
    """What a server was set up with, or why it does not say."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await inspect_setup(login.direct(node))
    except TimeoutError:
        return "no answer"
    except (psycopg.Error, OSError) as error:
        return _last_words(error)


async def _lets_in(conninfo: str) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await (await psycopg.AsyncConnection.connect(conninfo)).close()
    except (psycopg.Error, OSError, TimeoutError):
        return False
    return True


async def _migrated(cluster: Cluster) -> str:
    """Make its schema and the first months; answers the revision."""
    done = await migrate.up_shard(cluster)
    fault = done.error
    if fault is None:
        try:
            await sweeps.make_first_partitions(cluster, datetime.now(UTC).date())
        except ClusterError as error:
            fault = str(error)
    if fault is not None:
        what = f"does not take its schema: {fault}"
        _demand(cluster.name, [Finding(cluster.name, what, "mend that and add it again")])
    return str(done.after)


async def _registered(data: Data, offer: Offer, revision: str, reason: str | None) -> Shard:
    new = shard_catalog.NewShard(offer.name, offer.nodes, offer.weight, revision)
    with global_failures():
        async with data.global_db.write() as connection:
            # Looked at before: two operators at once could have offered one cluster twice.
            await shard_catalog.one_at_a_time(connection)
            known = _holder(await shard_catalog.registered(connection), offer.nodes)
            shard = None if known else await shard_catalog.add(connection, new)
            if shard is None:
                what = f"was registered as {known or offer.name} meanwhile"
                found = Finding(offer.name, what, "look at `docshard shard list`")
                raise Unmet(f"{offer.name} cannot be added.", [found])
            event = Event("shard.add", "shard", entity_of(offer.name), None, _image(shard))
            await record_global(connection, Origin(reason=reason), event)
    return shard


def _holder(shards: Sequence[Shard], nodes: Sequence[NodeAddress]) -> str | None:
    """The shard that is registered with one of these addresses."""
    wanted = {(node.host, node.port) for node in nodes}
    held = ((shard.name, (node.host, node.port)) for shard in shards for node in shard.nodes)
    return next((name for name, address in held if address in wanted), None)


def _image(shard: Shard) -> dict[str, object]:
    return {
        "status": shard.status,
        "weight": shard.weight,
        "nodes": [f"{node.name} {node.host}:{node.port}" for node in shard.nodes],
        "schema_revision": shard.schema_revision,
    }


def _demand(name: str, refusals: Sequence[Finding]) -> None:
    if refusals:
        raise Unmet(f"{name} cannot be added.", refusals)


def _last_words(error: Exception) -> str:
    """What the server or the system said; before it stand the addresses that were tried."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    told = next((line for line in lines if "FATAL:" in line), lines[0])
    return told.rpartition("FATAL:" if "FATAL:" in told else " failed:")[2].strip()
