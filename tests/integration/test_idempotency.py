"""I2: one effect per Idempotency-Key, in a tenant and in the global database."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
import uuid_utils.compat as uuid_utils

from global_db import idempotency as global_keys
from global_db.cluster import Cluster
from global_db.errors import LockNotAvailable
from global_db.idempotency import IdempotencyKey, KeyInProgress, Stored
from services.resources import Data
from shards import idempotency as tenant_keys
from shards.document_query import DocumentFilter
from shards.search import Search
from shards.tenants import TenantWrite
from tests.integration.databases import Fleet
from tests.integration.postgres import APP, Database
from tests.integration.work import insert

pytestmark = pytest.mark.versions

EXPIRE = """
    UPDATE docshard.idempotency_keys SET expires_at = now() - interval '1 s' WHERE key = %s
"""


def key(name: str = "key-1", principal: UUID | None = None) -> IdempotencyKey:
    return IdempotencyKey(principal or uuid4(), name, bytes(32))


def effect(
    wanted: IdempotencyKey, before_commit: Callable[[], Awaitable[None]] | None = None
) -> Callable[[TenantWrite], Awaitable[Stored | UUID]]:
    """Add a document unless the key has an outcome, which is answered instead."""

    async def work(tenant: TenantWrite) -> Stored | UUID:
        stored = await tenant_keys.claim(tenant, wanted)
        if stored is not None:
            return stored
        document_id: UUID = uuid_utils.uuid7()
        await insert(document_id)(tenant)
        await tenant_keys.settle(tenant, wanted, {"id": str(document_id)})
        if before_commit is not None:
            await before_commit()
        return document_id

    return work


async def number_of_documents(data: Data, client_id: UUID) -> int:
    found = await data.tenants.read(
        client_id,
        lambda tenant: Search(tenant, DocumentFilter(), "-created_at", 100).page(None),
    )
    return len(found.documents)


async def test_twenty_at_once_have_one_effect(fleet_dbs: Fleet, fleet_data: Data) -> None:
    client_id, wanted = await fleet_dbs.tenant(), key()
    written = await asyncio.gather(
        *(fleet_data.tenants.write(client_id, effect(wanted)) for _ in range(20))
    )
    outcomes = [one.value for one in written]
    (made,) = [outcome for outcome in outcomes if isinstance(outcome, UUID)]
    stored = [outcome for outcome in outcomes if isinstance(outcome, Stored)]
    assert stored == [Stored(bytes(32), {"id": str(made)})] * 19
    assert await number_of_documents(fleet_data, client_id) == 1


async def test_what_the_first_asked_for_is_told(fleet_dbs: Fleet, fleet_data: Data) -> None:
    client_id, first = await fleet_dbs.tenant(), key()
    await fleet_data.tenants.write(client_id, effect(first))
    other = IdempotencyKey(first.principal_id, first.key, b"\x01" * 32)
    written = await fleet_data.tenants.write(client_id, effect(other))
    assert isinstance(written.value, Stored)
    assert written.value.request_hash == first.request_hash


async def test_a_request_that_still_runs_is_said_to(own_fleet: Fleet) -> None:
    client_id, wanted = await own_fleet.tenant(), key()
    own_fleet.shards["shard-1"].set_deadline(APP, "lock_timeout", "300ms")
    inside, enough = asyncio.Event(), asyncio.Event()

    async def linger() -> None:
        inside.set()
        await enough.wait()

    async with own_fleet.data() as data:
        first = asyncio.create_task(data.tenants.write(client_id, effect(wanted, linger)))
        await inside.wait()
        begun = time.monotonic()
        with pytest.raises(KeyInProgress):
            await data.tenants.write(client_id, effect(wanted))
        assert 0.25 < time.monotonic() - begun < 1.5
        enough.set()
        await first
        assert isinstance((await data.tenants.write(client_id, effect(wanted))).value, Stored)


async def test_a_first_that_fails_leaves_the_key_to_the_next(
    fleet_dbs: Fleet, fleet_data: Data
) -> None:
    """The second waits for the first, and takes its place when that rolls back."""
    client_id, wanted = await fleet_dbs.tenant(), key()
    inside, enough = asyncio.Event(), asyncio.Event()

    async def fail() -> None:
        inside.set()
        await enough.wait()
        raise ZeroDivisionError

    first = asyncio.create_task(fleet_data.tenants.write(client_id, effect(wanted, fail)))
    await inside.wait()
    second = asyncio.create_task(fleet_data.tenants.write(client_id, effect(wanted)))
    await asyncio.wait({second}, timeout=0.1)
    enough.set()
    with pytest.raises(ZeroDivisionError):
        await first
    assert isinstance((await second).value, UUID)
    assert await number_of_documents(fleet_data, client_id) == 1


async def test_an_expired_key_is_taken_over(fleet_dbs: Fleet, fleet_data: Data) -> None:
    client_id, wanted = await fleet_dbs.tenant(), key(str(uuid4()))
    first = await fleet_data.tenants.write(client_id, effect(wanted))
    async with fleet_dbs.shards["shard-1"].session() as session, session.transaction():
        await session.execute("SELECT docshard.enter_write(%s, 1)", [client_id])
        await session.execute(EXPIRE, [wanted.key])
    again = await asyncio.gather(
        *(fleet_data.tenants.write(client_id, effect(wanted)) for _ in range(5))
    )
    made = [one.value for one in again if isinstance(one.value, UUID)]
    assert len(made) == 1
    assert made != [first.value]
    assert await number_of_documents(fleet_data, client_id) == 2


async def test_keys_of_others_are_other_keys(fleet_dbs: Fleet, fleet_data: Data) -> None:
    one, two, principal = await fleet_dbs.tenant(), await fleet_dbs.tenant(), uuid4()
    for client_id, wanted in (
        (one, key(principal=principal)),
        (one, key(principal=uuid4())),
        (one, key("key-2", principal)),
        (two, key(principal=principal)),
    ):
        assert isinstance((await fleet_data.tenants.write(client_id, effect(wanted))).value, UUID)


async def test_expired_keys_are_swept(fleet_dbs: Fleet, fleet_data: Data) -> None:
    client_id, old, new = await fleet_dbs.tenant(), key(str(uuid4())), key("new")
    for wanted in (old, new):
        await fleet_data.tenants.write(client_id, effect(wanted))
    async with fleet_dbs.shards["shard-1"].session() as session, session.transaction():
        await session.execute("SELECT docshard.enter_write(%s, 1)", [client_id])
        await session.execute(EXPIRE, [old.key])
    removed = await fleet_data.tenants.write(client_id, tenant_keys.remove_expired)
    assert removed.value == 1
    assert isinstance((await fleet_data.tenants.write(client_id, effect(new))).value, Stored)


@asynccontextmanager
async def claimed(cluster: Cluster, wanted: IdempotencyKey) -> AsyncIterator[Stored | None]:
    async with cluster.write() as connection:
        stored = await global_keys.claim(connection, wanted)
        yield stored
        if stored is None:
            await global_keys.settle(connection, wanted, {"id": "1"})


async def test_the_same_in_the_global_database(global_db: Database) -> None:
    wanted = key()
    global_db.set_deadline(APP, "lock_timeout", "300ms")
    async with global_db.cluster() as cluster:

        async def once() -> Stored | None:
            async with claimed(cluster, wanted) as stored:
                return stored

        async with claimed(cluster, wanted) as first:
            assert first is None
            with pytest.raises(KeyInProgress):
                await once()
        outcomes = await asyncio.gather(*(once() for _ in range(20)))
        assert outcomes == [Stored(bytes(32), {"id": "1"})] * 20

        async with global_db.session() as session:
            await session.execute(EXPIRE, [wanted.key])
        outcomes = await asyncio.gather(*(once() for _ in range(5)))
        assert outcomes.count(None) == 1


async def test_a_lock_that_is_no_key_is_no_key_in_progress(global_db: Database) -> None:
    global_db.set_deadline(APP, "lock_timeout", "300ms")
    async with global_db.cluster() as cluster, global_db.session() as session:
        await session.execute("BEGIN")
        await session.execute("LOCK TABLE docshard.idempotency_keys")
        with pytest.raises(LockNotAvailable):
            async with cluster.write() as connection:
                await global_keys.settle(connection, key(), {"id": "1"})
