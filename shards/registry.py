"""The set of shards this process talks to, kept as the catalog has it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from global_db import shard_catalog
from global_db.address import Login, PoolLimits
from global_db.cluster import Cluster
from global_db.revisions import Revisions
from global_db.shard_catalog import Shard
from global_db.tally import ClusterTally
from shards.ring import Ring

REVISIONS = Revisions(Path(__file__).parent / "migrations")


class UnknownShard(Exception):
    """The catalog has no such shard, or it could not be read yet."""


class NoShards(Exception):
    """No shard takes new clients."""


class ShardBehind(Exception):
    """The shard's schema is older than this code needs: run the migrations."""


@dataclass(slots=True)
class _Member:
    shard: Shard
    cluster: Cluster


class ShardRegistry:
    """Shards by name, each with an open `Cluster`. `async with` opens and closes them."""

    def __init__(
        self, global_db: Cluster, login: Login, limits: PoolLimits, revision: str | None = None
    ) -> None:
        self._global_db = global_db
        self._login = login
        self._limits = limits
        self._revision = revision if revision is not None else REVISIONS.head
        self._members: dict[str, _Member] = {}
        self._tallies: defaultdict[str, ClusterTally] = defaultdict(ClusterTally)
        self._ring: Ring | None = None
        self._refreshing = asyncio.Lock()

    async def __aenter__(self) -> ShardRegistry:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(m.cluster.__aexit__() for m in self._members.values()))

    async def refresh(self) -> None:
        """Read the catalog; open what is new, reopen what moved, close what left."""
        async with self._refreshing:
            async with self._global_db.read() as connection:
                wanted = {shard.name: shard for shard in await shard_catalog.registered(connection)}
            await asyncio.gather(*(self._adopt(shard) for shard in wanted.values()))
            for name in self._members.keys() - wanted.keys():
                await self._members.pop(name).cluster.__aexit__()
            self._ring = None

    def shards(self) -> list[Shard]:
        """Every known shard, by name."""
        return [self._members[name].shard for name in sorted(self._members)]

    def clusters(self) -> list[Cluster]:
        """The cluster of every known shard, by name, whatever its schema."""
        return [self._members[name].cluster for name in sorted(self._members)]

    def cluster(self, name: str) -> Cluster:
        """The cluster of a shard whose schema is new enough.

        Raises:
            UnknownShard, ShardBehind.
        """
        member = self._members.get(name)
        if member is None:
            raise UnknownShard(name)
        if REVISIONS.is_behind(member.shard.schema_revision, self._revision):
            raise ShardBehind(
                f"{name} has schema {member.shard.schema_revision}, needs {self._revision}"
            )
        return member.cluster

    def any_cluster(self, name: str) -> Cluster:
        """The cluster of a shard whatever its schema, for operators.

        Raises:
            UnknownShard.
        """
        with contextlib.suppress(KeyError):
            return self._members[name].cluster
        raise UnknownShard(name)

    def ring(self) -> Ring:
        """The ring of the shards that take new clients.

        Raises:
            NoShards.
        """
        if self._ring is None:
            # One whose schema was never made serves nobody yet, so nobody may land there.
            weights = {
                shard.name: shard.weight
                for shard in self.shards()
                if shard.status == "active" and shard.schema_revision is not None
            }
            if not weights:
                raise NoShards
            self._ring = Ring(weights)
        return self._ring

    async def _adopt(self, shard: Shard) -> None:
        member = self._members.get(shard.name)
        if member is not None and member.shard.nodes == shard.nodes:
            member.shard = shard
            return
        cluster = Cluster(
            shard.name, shard.nodes, self._login, self._limits, self._tallies[shard.name]
        )
        await cluster.__aenter__()
        self._members[shard.name] = _Member(shard, cluster)
        if member is not None:
            await member.cluster.__aexit__()
