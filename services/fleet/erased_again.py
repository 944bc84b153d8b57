"""Erasures that a backup is older than are repeated: on shards and in a directory of then."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from global_db import clients, erasures
from global_db.cluster import Cluster
from global_db.connection import WriteConnection
from services.audit import Event, record_global
from services.fleet.tombstones import Tombstone
from services.identity.principal import Origin
from services.ids import new_id
from shards import census, whole_tenant
from shards.census import Resident

_WHY = "it was erased later than what was restored"


async def remove_from_shard(cluster: Cluster, client_id: UUID) -> int:
    """Close a tenant on a restored shard and remove its rows; answers how many. May be repeated.

    `gone` stays, as after the erasure itself: whoever asks this shard is refused for ever.
    """
    found = await _residence(cluster, client_id)
    while found is not None and found.state != "gone":
        await census.mark_gone(cluster, found, new_id())
        found = await _residence(cluster, client_id)
    return await census.remove_rows(cluster, client_id, found) or 0


async def repeat_in_directory(directory: Cluster, stone: Tombstone) -> None:
    """Let a restored directory know of an erasure: the client leaves it, and never comes back.

    One that had not ended is begun, no more: `docshard client erase` goes on with it.
    """
    async with directory.write() as connection:
        if await erasures.find(connection, stone.client_id) is None:
            await _begin(connection, stone)
        if stone.certificate is not None:
            await _end(connection, stone)


async def _begin(connection: WriteConnection, stone: Tombstone) -> None:
    await clients.delete(connection, stone.client_id)
    client = await erasures.lock_deleted(connection, stone.client_id)
    if client is None:
        return  # the directory is from before the client was made
    await erasures.begin(connection, stone.id, client, stone.reason)
    told = {"erasure": str(stone.id), "state": "begun"}
    event = Event("client.erase", "client", stone.client_id, None, told)
    await record_global(connection, Origin(reason=_WHY), event, stone.client_id)


async def _end(connection: WriteConnection, stone: Tombstone) -> None:
    known = await erasures.find(connection, stone.client_id)
    if known is None or known.certificate is not None or stone.certificate is None:
        return
    if await erasures.moving(connection, stone.client_id):
        return  # the move comes to its end first; `docshard client erase` then does the rest
    await erasures.count(connection, stone.client_id, {"restored": True})
    await erasures.remove_held(connection, stone.client_id)
    ended = datetime.fromisoformat(stone.certificate["statement"]["erased_at"])
    await erasures.end(connection, stone.client_id, stone.certificate, ended)
    told = {"erasure": str(stone.id), "state": "erased"}
    event = Event("client.erase", "client", stone.client_id, None, told)
    await record_global(connection, Origin(reason=_WHY), event, stone.client_id)


async def _residence(cluster: Cluster, client_id: UUID) -> Resident | None:
    async with cluster.read() as connection:
        return await whole_tenant.residence(connection, client_id)
