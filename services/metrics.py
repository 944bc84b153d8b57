"""The figures of a process that works with the databases: its clusters, fences, caches, and itself.

They are read from what the objects count anyway, when somebody asks. See docs/metrics.md.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Iterator
from pathlib import Path

from global_db.cluster import Cluster, Role
from global_db.node import Node
from services.exposition.family import Family, Labels, counter, gauge, histogram, kind_of
from services.resources import Data, Resources

_Values = Iterable[tuple[Labels, float]]
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STATM = Path("/proc/self/statm")


def figures(resources: Resources) -> list[Family]:
    """Everything that a router and a worker have in common."""
    clusters = [resources.data.global_db, *resources.data.registry.clusters()]
    return [
        *_work(clusters),
        *_pools(clusters),
        *_servers(clusters),
        *_fences(resources.data),
        *_caches(resources),
        *_process(),
    ]


def _work(clusters: list[Cluster]) -> Iterator[Family]:
    yield histogram(
        "docshard_db_seconds",
        "How long a connection was held for one piece of work.",
        (
            ({"shard": cluster.name, "role": role}, counted)
            for cluster in clusters
            for role, counted in cluster.tally.by_role()
            if any(counted.counts)
        ),
    )
    yield counter(
        "docshard_db_failures_total",
        "Work that a cluster could not do, by what went wrong.",
        (
            ({"shard": cluster.name, "kind": kind_of(kind)}, number)
            for cluster in clusters
            for kind, number in cluster.tally.failures.items()
        ),
    )


def _pools(clusters: list[Cluster]) -> Iterator[Family]:
    yield counter(
        "docshard_pool_wait_seconds_total",
        "Spent waiting for a connection from the pool.",
        (({"shard": one.name}, round(one.tally.pool_seconds, 6)) for one in clusters),
    )
    yield gauge(
        "docshard_pool_waiting",
        "Callers that wait for a connection now.",
        (({"shard": one.name}, _of_pools(one, "requests_waiting")) for one in clusters),
    )
    yield gauge(
        "docshard_pool_used",
        "Connections that are lent now.",
        (
            ({"shard": one.name}, _of_pools(one, "pool_size") - _of_pools(one, "pool_available"))
            for one in clusters
        ),
    )
    yield gauge(
        "docshard_pool_size",
        "Connections that the pools may have at most.",
        (({"shard": one.name}, sum(node.places for node in one.nodes)) for one in clusters),
    )


def _of_pools(cluster: Cluster, name: str) -> int:
    return sum(node.pool.get_stats().get(name, 0) for node in cluster.nodes)


def _servers(clusters: list[Cluster]) -> Iterator[Family]:
    yield gauge(
        "docshard_primary_known",
        "1 where every process knows a primary.",
        (({"shard": one.name}, float(one.available)) for one in clusters),
        "min",
    )
    yield gauge(
        "docshard_replicas",
        "Replicas that reads may go to.",
        (({"shard": one.name}, sum(node.trusted for node in one.nodes)) for one in clusters),
        "min",
    )
    yield gauge(
        "docshard_replica_lag_seconds",
        "How far the farthest replica is behind, as far as it is known.",
        (
            ({"shard": cluster.name}, round(lag, 3))
            for cluster in clusters
            if (lag := _lag(cluster)) is not None
        ),
        "max",
    )


def _lag(cluster: Cluster) -> float | None:
    known = (_lag_of(cluster, node) for node in cluster.nodes if node.role is Role.REPLICA)
    return max((lag for lag in known if lag is not None), default=None)


def _lag_of(cluster: Cluster, node: Node) -> float | None:
    """As it was when it was asked: at rest that is once a second, and it is not behind for that."""
    shown = cluster.shown_by(node)
    if shown is None or node.place is None:
        return None
    return max(node.place.asked_at - shown.asked_at, 0.0)


def _fences(data: Data) -> Iterator[Family]:
    fences = data.tenants.fences
    yield counter(
        "docshard_residency_refusals_total",
        "Requests that came to a shard where their tenant was not open, by why.",
        (
            ({"shard": shard, "reason": kind_of(kind)}, number)
            for (shard, kind), number in fences.refusals.items()
        ),
    )
    yield histogram(
        "docshard_fence_wait_seconds",
        "How long requests waited for a tenant at the switch of a move.",
        [({}, fences.waits)],
    )
    yield gauge("docshard_fence_waiting", "Requests that wait there now.", [({}, fences.waiting)])


def _caches(resources: Resources) -> Iterator[Family]:
    placements, principals = resources.data.placements, resources.principals
    yield counter(
        "docshard_cache_lookups_total",
        "Look-ups of what is remembered.",
        [
            ({"cache": "placement", "outcome": "hit"}, placements.hits),
            ({"cache": "placement", "outcome": "miss"}, placements.misses),
            ({"cache": "principal", "outcome": "hit"}, principals.hits),
            ({"cache": "principal", "outcome": "miss"}, principals.misses),
        ],
    )
    yield gauge(
        "docshard_cache_entries",
        "How much is remembered.",
        [({"cache": "placement"}, len(placements)), ({"cache": "principal"}, len(principals))],
    )


def _process() -> Iterator[Family]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds: _Values = [({}, round(used.ru_utime + used.ru_stime, 3))]
    yield counter("docshard_cpu_seconds_total", "Processor time.", seconds)
    yield gauge("docshard_memory_bytes", "Resident memory.", [({}, _resident())])
    yield gauge("docshard_processes", "Processes that tell figures.", [({}, 1)])


def _resident() -> int:
    try:
        return int(_STATM.read_bytes().split()[1]) * _PAGE_BYTES
    except OSError:  # not Linux: the largest so far, in KiB
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
