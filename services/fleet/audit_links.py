"""Linking audit rows into their chains, on every shard and in the global database.

A shard is asked which tenants have rows waiting, by one look at each such tenant, so that idle ones
cost nothing. Every one of them gets a batch by turns: one with many rows holds nobody up. Safe to
run by several workers at once; a shard that does not answer holds up no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from global_db import chain as global_chain
from global_db.cluster import Cluster
from global_db.errors import ClusterError
from services.resources import Data
from shards import chain
from shards.registry import ShardBehind
from shards.residency import Refused, refusals

_log = logging.getLogger(__name__)

BATCH: Final = 500
"""Rows of one transaction: about 10 ms, for which a mover's fence may have to wait."""
_TENANTS: Final = 500
_LANES: Final = 4
_ROUNDS: Final = 20
_NOBODY: Final = UUID(int=0)


async def link_shard(cluster: Cluster) -> int:
    """Link what waits on one shard until nothing does; answers how many rows that were."""
    linked = 0
    while done := await _round(cluster):
        linked += done
    return linked


async def link_clients(cluster: Cluster, clients: Sequence[UUID]) -> None:
    """Link most of what these tenants have waiting: a move wants few rows unlinked at its fence.

    Who writes all the time is never without any.
    """
    for _ in range(_ROUNDS):
        if not await _link_all(cluster, clients):
            return


async def link_global(cluster: Cluster) -> int:
    """Link what waits of the global log."""
    linked = 0
    while True:
        async with cluster.write() as connection:
            done = await global_chain.link(connection, BATCH)
        linked += done
        if done < BATCH:
            return linked


async def _round(cluster: Cluster) -> int:
    """A batch of every tenant that has rows waiting."""
    linked, after = 0, _NOBODY
    while True:
        async with cluster.read() as connection:
            found = await chain.queued(connection, after, _TENANTS)
        lanes = (_link_all(cluster, found[lane::_LANES]) for lane in range(_LANES))
        linked += sum(await asyncio.gather(*lanes))
        if len(found) < _TENANTS:
            return linked
        after = found[-1]


async def _link_all(cluster: Cluster, clients: Sequence[UUID]) -> int:
    return sum([await _link(cluster, client_id) for client_id in clients])


async def _link(cluster: Cluster, client_id: UUID) -> int:
    """One batch of one tenant; nothing when it is at the switch of a move."""
    try:
        with refusals():
            async with cluster.write() as connection:
                return await chain.link(connection, client_id, BATCH)
    except Refused:
        return 0


@dataclass
class Linker:
    """Links everywhere, again and again; a shard that is slow is not asked twice at a time."""

    data: Data
    patience_seconds: float = 1.0
    _running: dict[str, asyncio.Task[int]] = field(default_factory=dict)

    async def run(self) -> None:
        """Begin wherever nothing is under way, and wait for most of it."""
        for cluster in [*self._shards(), self.data.global_db]:
            if cluster.name not in self._running:
                link = link_global if cluster is self.data.global_db else link_shard
                task = asyncio.create_task(link(cluster), name=f"linking {cluster.name}")
                self._running[cluster.name] = task
        await asyncio.wait(self._running.values(), timeout=self.patience_seconds)
        for name in [name for name, task in self._running.items() if task.done()]:
            _tell(name, self._running.pop(name))

    def _shards(self) -> list[Cluster]:
        found = []
        for shard in self.data.registry.shards():
            try:
                found.append(self.data.registry.cluster(shard.name))
            except ShardBehind as error:
                _log.debug("not linked before its migration: %s", error)
        return found


def _tell(name: str, task: asyncio.Task[int]) -> None:
    error = task.exception()
    if isinstance(error, ClusterError):
        _log.warning("%s is left for the next time: %s", name, error)
    elif error is not None:
        raise error
    elif task.result():
        _log.debug("%s rows linked on %s", task.result(), name)
