"""Migrating the fleet: the global history first, then every shard side by side.

A shard that fails is named and does not stop the others; running it again goes on where it was.
Each shard's revision is recorded in the catalog, where routers see it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from global_db import shard_catalog
from global_db.cluster import Cluster
from global_db.errors import ClusterError
from global_db.migration import GLOBAL_HISTORY, History
from services.resources import Data
from shards.history import HISTORY as SHARD_HISTORY

_MAX_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class SchemaState:
    """One database's schema. `pending` are the revisions it still needs, oldest first."""

    name: str
    revision: str | None
    pending: tuple[str, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a run did to one database; `error` says why it is where it was."""

    name: str
    before: str | None
    after: str | None
    error: str | None = None


async def status(data: Data) -> list[SchemaState]:
    """Every database's revision, and what `up` would run there; changes nothing."""
    targets = await _targets(data)
    return list(await asyncio.gather(*(_state(cluster, history) for cluster, history in targets)))


async def up_global(data: Data) -> Migrated:
    """Migrate the global database alone."""
    return await _up(data.global_db, GLOBAL_HISTORY)


async def up_shard(cluster: Cluster) -> Migrated:
    """Migrate one shard, registered or not; the catalog does not learn of it."""
    return await _up(cluster, SHARD_HISTORY)


async def up_restored(cluster: Cluster) -> Migrated:
    """Migrate a cluster that was restored beside what lives: by its name the one history or the
    other; the catalog does not learn of it."""
    history = GLOBAL_HISTORY if cluster.name == "global" else SHARD_HISTORY
    return await _up(cluster, history)


async def up(data: Data) -> list[Migrated]:
    """Migrate the global database, then all registered shards side by side."""
    first = await up_global(data)
    if first.error is not None:
        return [first]
    await data.registry.refresh()
    limit = asyncio.Semaphore(_MAX_AT_ONCE)

    async def one(cluster: Cluster) -> Migrated:
        async with limit:
            outcome = await up_shard(cluster)
            if outcome.error is None:
                async with data.global_db.write() as connection:
                    await shard_catalog.set_revision(connection, cluster.name, outcome.after)
            return outcome

    return [first, *await asyncio.gather(*(one(cluster) for cluster in _shards(data)))]


async def _targets(data: Data) -> list[tuple[Cluster, History]]:
    found = [(data.global_db, GLOBAL_HISTORY)]
    state = await _state(data.global_db, GLOBAL_HISTORY)
    if state.revision is not None:
        await data.registry.refresh()
        found += [(cluster, SHARD_HISTORY) for cluster in _shards(data)]
    return found


def _shards(data: Data) -> list[Cluster]:
    return [data.registry.any_cluster(shard.name) for shard in data.registry.shards()]


async def _state(cluster: Cluster, history: History) -> SchemaState:
    try:
        revision = await asyncio.to_thread(history.current, _direct(cluster))
    except (ClusterError, SQLAlchemyError, psycopg.Error) as error:
        return SchemaState(cluster.name, None, (), _reason(error))
    return SchemaState(cluster.name, revision, tuple(history.pending(revision)))


async def _up(cluster: Cluster, history: History) -> Migrated:
    before = await _state(cluster, history)
    if before.error is not None:
        return Migrated(cluster.name, None, None, before.error)
    try:
        after = await asyncio.to_thread(history.upgrade, _direct(cluster))
    except (ClusterError, SQLAlchemyError, psycopg.Error) as error:
        return Migrated(cluster.name, before.revision, before.revision, _reason(error))
    return Migrated(cluster.name, before.revision, after)


def _direct(cluster: Cluster) -> str:
    """Past any pooler: a migration holds locks and a role for a whole session."""
    return cluster.login.direct(cluster.primary_address())


def _reason(error: Exception) -> str:
    """The first line says what happened; the rest repeats the statement."""
    return str(error).strip().splitlines()[0]
