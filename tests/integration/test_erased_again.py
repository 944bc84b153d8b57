"""A directory of before an erasure is told of it: the client leaves it, and does not come back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from global_db import clients, erasures, shard_catalog
from global_db.clients import BeingErased
from services.fleet.erased_again import repeat_in_directory
from services.fleet.tombstones import Tombstone
from services.ids import new_id
from tests.integration.databases import NEW_CLIENT
from tests.integration.postgres import ADMIN, Database

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SIGNED = {"statement": {"erased_at": NOW.isoformat()}}


async def client_of_then(database: Database) -> UUID:
    """A client who lives, as the restored directory has it."""
    client_id = new_id()
    async with database.cluster(ADMIN) as directory, directory.write() as connection:
        await shard_catalog.register(connection, "shard-1", [database.address], weight=1)
    async with database.session() as session:
        told: dict[str, Any] = {"id": client_id, "shard": "shard-1", "epoch": 1}
        await session.execute(NEW_CLIENT, told, prepare=False)
    return client_id


async def test_one_that_had_ended_is_ended_again(global_db: Database) -> None:
    client_id = await client_of_then(global_db)
    stone = Tombstone(client_id, uuid4(), "asked for it", NOW, SIGNED)
    async with global_db.cluster(ADMIN) as directory:
        for _ in range(2):
            await repeat_in_directory(directory, stone)
        async with directory.read() as connection:
            assert await clients.every(connection, UUID(int=0), 10) == []
            known = await erasures.find(connection, client_id)
            assert known is not None
            assert (known.id, known.state, known.certificate) == (stone.id, "erased", SIGNED)
            assert await erasures.among(connection, [client_id], ended=True) == {client_id}


async def test_one_that_had_begun_is_begun_again(global_db: Database) -> None:
    client_id = await client_of_then(global_db)
    async with global_db.cluster(ADMIN) as directory:
        await repeat_in_directory(directory, Tombstone(client_id, uuid4(), "", NOW))
        async with directory.read() as connection:
            assert await clients.get(connection, client_id) is None
            assert await erasures.among(connection, [client_id], ended=True) == frozenset()
        with pytest.raises(BeingErased):
            async with directory.write() as connection:
                await clients.restore(connection, client_id)


async def test_one_whom_the_directory_has_not_met_is_no_matter(global_db: Database) -> None:
    async with global_db.cluster(ADMIN) as directory:
        await repeat_in_directory(directory, Tombstone(uuid4(), uuid4(), "", NOW, SIGNED))
