"""Restored servers are compared with the directory, and closed to tenants that do not match.

Who was erased later than what was restored is erased from it again, whoever asked for the restore.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from global_db import erasures, placements
from global_db.cluster import Cluster, NodeAddress, PoolLimits
from services.failures import global_failures
from services.fleet.erased_again import remove_from_shard, repeat_in_directory
from services.fleet.reconciliation import Placed, Resident, Verdict, reconcile
from services.fleet.tombstones import open_tombstones
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
    """How many are served from what was restored, and everybody who is not.

    `erased`: rows of clients removed again, who had been erased since.
    """

    served: int
    refused: tuple[Verdict, ...]
    closed: int
    erased: int = 0


@dataclass(frozen=True, slots=True)
class Restored:
    """Restored shards by name, beside the directory that they are compared with.

    `erased` are clients of whom the directory itself may not know that they were erased.
    """

    directory: Cluster
    shards: Mapping[str, Cluster]
    erased: frozenset[UUID] = frozenset()

    async def verdicts(self) -> AsyncIterator[Verdict]:
        """By pages of the directory, each up to its last tenant; so memory holds a page."""
        after = _FIRST
        while after != _LAST:
            with global_failures():
                async with self.directory.read() as connection:
                    placed = await placements.page(connection, after, _PAGE)
            upto = placed[-1].client_id if len(placed) == _PAGE else _LAST
            found = {name: await _residents(one, after, upto) for name, one in self.shards.items()}
            erased = self.erased | await self._erased(
                {one for each in found.values() for one in each}
            )
            for verdict in reconcile(placed, found, erased):
                yield verdict
            after = upto

    async def settle(self, verdict: Verdict) -> tuple[int, int]:
        """Close what must not be served, remove who was erased; answers how many of the one, and
        rows of the other."""
        cluster = self.shards[verdict.shard]
        if verdict.erased:
            return 0, await remove_from_shard(cluster, verdict.client_id)
        if verdict.closes is None:
            return 0, 0
        return int(await census.mark_gone(cluster, verdict.closes, new_id())), 0

    async def _erased(self, known: set[UUID]) -> frozenset[UUID]:
        with global_failures():
            async with self.directory.read() as connection:
                return await erasures.among(connection, sorted(known))


async def reconcile_restored(settings: Settings, ports: Mapping[str, int]) -> Reconciled:
    """Judge every tenant and close what must not be served; restored servers by loopback port.

    The directory is the restored one when the global cluster is among them, else the living one.
    A restored one is told of erasures that it is older than. Safe to repeat: what was closed stays
    so.

    Raises:
        DirectoryUnavailable; StorageUnavailable: nobody knows who was erased.
    """
    async with open_restored(settings, ports) as restored:
        served, closed, erased = 0, 0, 0
        refused: list[Verdict] = []
        async for verdict in restored.verdicts():
            if verdict.served:
                served += 1
                continue
            refused.append(verdict)
            closes, rows = await restored.settle(verdict)
            closed, erased = closed + closes, erased + rows
    return Reconciled(served, tuple(refused), closed, erased)


@asynccontextmanager
async def open_restored(settings: Settings, ports: Mapping[str, int]) -> AsyncIterator[Restored]:
    """Restored servers by loopback port, as the mover; a restored directory learns of erasures.

    Raises:
        As `reconcile_restored`.
    """
    async with AsyncExitStack() as stack:
        shards = {
            name: await stack.enter_async_context(side_cluster(settings, name, port))
            for name, port in ports.items()
        }
        directory = shards.pop(_GLOBAL, None)
        if directory is not None:
            admin = side_cluster(settings, _GLOBAL, ports[_GLOBAL], DatabaseRole.ADMIN)
            erased = await _repeat_erasures(settings, await stack.enter_async_context(admin))
            yield Restored(directory, shards, erased)
            return
        yield Restored(await stack.enter_async_context(_living(settings)), shards)


async def _repeat_erasures(settings: Settings, directory: Cluster) -> frozenset[UUID]:
    """Tell a restored directory who was erased since; answers everybody who ever was."""
    async with open_tombstones(settings) as tombstones:
        everybody = await tombstones.ids()
        async with directory.read() as connection:
            ended = await erasures.among(connection, sorted(everybody), ended=True)
        for client_id in sorted(everybody - ended):
            await repeat_in_directory(directory, await tombstones.read(client_id))
    return everybody


async def _residents(cluster: Cluster, after: UUID, upto: UUID) -> dict[UUID, Resident]:
    found: dict[UUID, Resident] = {}
    while True:
        async with cluster.read() as connection:
            page = await census.residents(connection, Span(after, upto, _PAGE))
        found |= {one.client_id: one for one in page}
        if len(page) < _PAGE:
            return found
        after = page[-1].client_id


def side_cluster(
    settings: Settings, name: str, port: int, role: DatabaseRole = DatabaseRole.MOVER
) -> Cluster:
    """A restored cluster; as the mover, who sees the rows of all tenants, unless told otherwise."""
    address = NodeAddress(name=f"restored-{name}", host="127.0.0.1", port=port)
    return Cluster(name, [address], settings.login(role), _LIMITS)


def _living(settings: Settings) -> Cluster:
    login = settings.login(DatabaseRole.MOVER)
    return Cluster(_GLOBAL, settings.global_nodes, login, _LIMITS)


__all__ = ["Placed", "Reconciled", "Restored", "Verdict", "open_restored", "reconcile_restored"]
