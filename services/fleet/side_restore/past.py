"""A tenant as a restored server has it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

from global_db import erasures, moves
from global_db.audit_heads import Head
from global_db.cluster import Cluster
from services.blobs.store import BlobReader
from services.chain import heads as chain_heads
from services.chain.heads import Heads
from services.errors import Conflict, NotFound
from services.failures import global_failures, tenant_failures
from services.fleet.clients import Client, living_or_deleted
from services.fleet.portability.layout import NamedBlob
from services.fleet.portability.reach import Progress, Reach
from services.fleet.portability.rows import lines_of
from services.fleet.restored_fleet import side_cluster
from services.fleet.shards import as_id
from services.fleet.side_restore.contents import Contents
from services.resources import Data
from services.settings import Settings
from shards import whole_tenant
from shards.row_export import RowSnapshot, row_snapshot

_WHOLE = ("open", "fenced")
"""States in which a shard has every row of a tenant."""


@dataclass(frozen=True, slots=True)
class Past:
    """A restored server of `shard`, and the moment that it is of."""

    cluster: Cluster
    shard: str
    at: datetime


@asynccontextmanager
async def open_past(settings: Settings, shard: str, port: int, at: datetime) -> AsyncIterator[Past]:
    """A restored server on a loopback port, as the mover, who sees the rows of all tenants."""
    async with side_cluster(settings, shard, port) as cluster:
        yield Past(cluster, shard, at)


async def restorable_client(data: Data, name: str) -> Client:
    """A living or deleted client by its id or its code; none who was erased or is being so.

    Raises:
        NotFound; Conflict: nothing brings it back; DirectoryUnavailable.
    """
    try:
        client = await living_or_deleted(data, name)
    except NotFound:
        await _demand_not_erased(data, as_id(name))
        raise
    await _demand_not_erased(data, client.id)
    return client


async def _demand_not_erased(data: Data, client_id: UUID | None) -> None:
    with global_failures():
        async with data.global_db.read() as connection:
            erasure = None if client_id is None else await erasures.find(connection, client_id)
    if erasure is not None:
        raise Conflict(
            f"Client {erasure.client_id} was erased, or is being so ({erasure.begun_at:%Y-%m-%d}):"
            " it is to be forgotten, and nothing is brought back or exported from a backup."
            f" `docshard client erase {erasure.client_id}` shows the certificate."
        )


@asynccontextmanager
async def past_snapshot(past: Past, client_id: UUID) -> AsyncIterator[RowSnapshot]:
    """The tenant's rows of then.

    Raises:
        Conflict: it did not live on that shard then, or the backup is of another schema.
        ShardUnavailable.
    """
    with tenant_failures():
        async with past.cluster.read() as connection:
            resident = await whole_tenant.residence(connection, client_id)
        if resident is None or resident.state not in _WHOLE:
            found = "no row of it" if resident is None else f"`{resident.state}`"
            raise Conflict(
                f"It did not live on {past.shard} at that moment: {found} there. "
                "--shard names the shard where it lived; `docshard move list` shows its moves."
            )
        epoch = resident.epoch
        async with row_snapshot(past.cluster, client_id, epoch, states=_WHOLE) as snapshot:
            yield replace(snapshot, taken_at=past.at)


async def home_at(data: Data, client_id: UUID, at: datetime, present: str) -> str:
    """The shard where a client lived at a moment: the source of its first move since, else where it
    lives.

    Raises:
        DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            return await moves.first_source_since(connection, client_id, at) or present


@dataclass(frozen=True, slots=True)
class PastSource:
    """What an export of then is made of: the restored server, and contents wherever they lie."""

    past: Past
    contents: Contents

    async def heads(self, reach: Reach, client_id: UUID, _: Progress) -> Heads:
        """Those that were signed until now."""
        return await chain_heads.load(reach.data, reach.keyring, client_id)

    @asynccontextmanager
    async def snapshot(self, _: Reach, client_id: UUID) -> AsyncIterator[tuple[str, RowSnapshot]]:
        """The rows of then."""
        async with past_snapshot(self.past, client_id) as snapshot:
            yield self.past.shard, snapshot

    def places(self, _: Reach, blob: NamedBlob) -> AsyncGenerator[BlobReader]:
        """The bucket, its earlier versions, its copies."""
        return self.contents.places(blob)

    def vouching(self, folder: Path, heads: Mapping[int, Head]) -> dict[int, Head]:
        """Those that were signed up to the end of the chain of then."""
        end = max((row["seq"] for row in lines_of(folder, "audit_chain")), default=0)
        return {seq: head for seq, head in heads.items() if seq <= end}
