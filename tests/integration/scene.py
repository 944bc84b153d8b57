"""A tenant, sessions around it and a mover: what tests of the fence act with."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest
import uuid_utils.compat as uuid_utils

from global_db.connection import RawConnection
from tests.integration.databases import ShardDatabase
from tests.integration.postgres import APP

NOT_RESIDENT, STALE_EPOCH, FENCED, ISOLATION, NOT_ENTERED = (f"DS00{n}" for n in range(1, 6))
INSUFFICIENT_PRIVILEGE = "42501"
ENTER_WRITE = "SELECT docshard.enter_write(%s, %s)"
ENTER = "SELECT docshard.enter(%s, %s)"
ENTERS = (ENTER_WRITE, ENTER)
INSERT = """
    INSERT INTO docshard.documents (client_id, id, original_name, mime_type, created_by)
    VALUES (%(client)s, %(id)s, 'a', 'text/plain', %(client)s)
"""
FORGE = """
    SELECT set_config('app.client_id', %(client)s::text, true),
           set_config('app.write_epoch', %(epoch)s::text, true)
"""


@dataclass(frozen=True)
class Scene:
    """Two sessions of the application, one of a mover, one that watches, and a tenant."""

    shard: ShardDatabase
    client: UUID
    app: RawConnection
    other: RawConnection
    mover: RawConnection
    watcher: RawConnection

    async def enter(self, session: RawConnection, epoch: int = 1) -> None:
        await session.execute(ENTER_WRITE, [self.client, epoch])

    async def insert(self, session: RawConnection, client: UUID | None = None) -> UUID:
        document = uuid_utils.uuid7()
        await session.execute(INSERT, {"client": client or self.client, "id": document})
        return document

    async def forge(self, session: RawConnection, epoch: int | str = 1) -> None:
        await session.execute(FORGE, {"client": self.client, "epoch": epoch})

    async def documents(self) -> list[UUID]:
        cursor = await self.watcher.execute(
            "SELECT id FROM docshard.documents WHERE client_id = %s ORDER BY id", [self.client]
        )
        return [row["id"] for row in await cursor.fetchall()]

    async def write(self, session: RawConnection, epoch: int = 1) -> UUID:
        async with session.transaction():
            await self.enter(session, epoch)
            return await self.insert(session)


@pytest.fixture(name="scene")
async def make_scene(module_shard: ShardDatabase) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        app, other, mover, watcher = [
            await stack.enter_async_context(module_shard.session(role))
            for role in (APP, APP, "postgres", "postgres")
        ]
        client = await module_shard.admit()
        yield Scene(module_shard, client, app, other, mover, watcher)


def refusal(*states: str) -> pytest.RaisesExc[psycopg.Error]:
    return pytest.RaisesExc(psycopg.Error, check=lambda error: error.sqlstate in states)
