"""Restored servers are compared with the directory, and closed to tenants that do not match."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import UUID

from global_db import placements
from global_db.cluster import Cluster, NodeAddress, PoolLimits
from services.failures import global_failures
from services.fleet.reconciliation import Placed, Resident, Verdict, reconcile
from services.ids import new_id
from services.settings import DatabaseRole, Settings
from shards import census
from shards.census import Span

_PAGE = 1_000
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)
_GLOBAL = "global"
_LIMITS = PoolLimits(min_size=1, max_size=2)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How many are served from what was restored, and everybody who is not."""

    served: int
    refused: tuple[Verdict, ...]
    closed: int


async def reconcile_restored(settings: Settings, ports: Mapping[str, int]) -> Reconciled:
    """Judge every tenant and close what must not be served; restored servers by loopback port.

    The directory is the restored one when the global cluster is among them, else the living one.
    Safe to repeat: what was closed stays so.

    Raises:
        DirectoryUnavailable.
    """
    async with AsyncExitStack() as stack:
        clusters = {
            name: await stack.enter_async_context(_cluster(settings, name, port))
            for name, port in ports.items()
        }
        directory = clusters.pop(_GLOBAL, None)
        if directory is None:
            directory = await stack.enter_async_context(_living(settings))
        served, closed = 0, 0
        refused: list[Verdict] = []
        async for verdict in _verdicts(directory, clusters):
            if verdict.served:
                served += 1
                continue
            refused.append(verdict)
            if verdict.closes is not None:
                cluster = clusters[verdict.shard]
                closed += await census.mark_gone(cluster, verdict.closes, new_id())
    return Reconciled(served, tuple(refused), closed)


async def _verdicts(directory: Cluster, clusters: Mapping[str, Cluster]) -> AsyncIterator[Verdict]:
    """By pages of the directory, each up to its last tenant; so memory holds a page."""
    after = _FIRST
    while after != _LAST:
        with global_failures():
            async with directory.read() as connection:
                placed = await placements.page(connection, after, _PAGE)
        upto = placed[-1].client_id if len(placed) == _PAGE else _LAST
        found = {name: await _residents(one, after, upto) for name, one in clusters.items()}
        for verdict in reconcile(placed, found):
            yield verdict
        after = upto


async def _residents(cluster: Cluster, after: UUID, upto: UUID) -> dict[UUID, Resident]:
    found: dict[UUID, Resident] = {}
    while True:
        async with cluster.read() as connection:
            page = await census.residents(connection, Span(after, upto, _PAGE))
        found |= {one.client_id: one for one in page}
        if len(page) < _PAGE:
            return found
        after = page[-1].client_id


def _cluster(settings: Settings, name: str, port: int) -> Cluster:
    """A restored cluster as the mover, who sees the rows of all tenants."""
    address = NodeAddress(name=f"restored-{name}", host="127.0.0.1", port=port)
    return Cluster(name, [address], settings.login(DatabaseRole.MOVER), _LIMITS)


def _living(settings: Settings) -> Cluster:
    login = settings.login(DatabaseRole.MOVER)
    return Cluster(_GLOBAL, settings.global_nodes, login, _LIMITS)


__all__ = ["Placed", "Reconciled", "Verdict", "reconcile_restored"]
