"""What changes rows, and what the sweeps ask, reaches large tables through an index too."""

from datetime import UTC, datetime

import pytest
from psycopg.types.json import JsonbDumper

from global_db.connection import ReadConnection
from global_db.directory import Placement
from global_db.idempotency import IdempotencyKey
from global_db.transaction import transaction
from shards import documents, idempotency, uploads
from shards.residency import enter_write
from shards.rooms import Rooms
from shards.tenants import TenantWrite
from tests.integration.crowd import LARGE, Crowd
from tests.integration.explaining import explaining
from tests.integration.postgres import APP, WORKER

pytestmark = [
    pytest.mark.versions,
    pytest.mark.parametrize("crowd", LARGE, indirect=True, ids=["", "analyzed"]),
]


async def test_changes_of_a_tenant(crowd: Crowd) -> None:
    client_id = crowd.clients[0]
    placement = Placement(client_id, "shard-1", 1, "active")
    document_id = (await crowd.rows("documents", client_id))[0]["id"]
    used = (await crowd.rows("idempotency_keys", client_id))[0]
    key = IdempotencyKey(used["principal_id"], used["key"], used["request_hash"])
    async with await explaining(crowd.shard.conninfo(WORKER)) as session:
        session.adapters.register_dumper(dict, JsonbDumper)
        async with transaction(session) as connection:
            now = await enter_write(connection, client_id, 1)
            tenant = TenantWrite(connection, placement, now, Rooms())
            document = await documents.lock(tenant, document_id)
            assert document is not None
            await documents.update(tenant, document)
            assert await idempotency.claim(tenant, key) is not None
            await idempotency.settle(tenant, key, {"status": 201})
            assert await idempotency.remove_expired(tenant) > 0
            for upload in (await crowd.rows("uploads", client_id))[:2]:
                assert await uploads.abandon(tenant, upload["id"])
                assert not await uploads.finish(tenant, upload["id"])
                await uploads.forget(tenant, upload["id"])
        assert len(session.plans) > 10
        crowd.check(session)


async def test_questions_of_the_sweeps(crowd: Crowd) -> None:
    async with await explaining(crowd.shard.conninfo(WORKER)) as session:
        reads = ReadConnection(session)
        expired = await uploads.expired(reads, 50)
        assert len(expired) == 50
        assert all(upload.expires_at < datetime.now(UTC) for upload in expired)
        owing = await idempotency.tenants_with_expired(reads, 5)
        assert 0 < len(owing) <= 5
        crowd.check(session)


async def test_the_application_learns_nothing_from_the_questions_of_the_sweeps(
    crowd: Crowd,
) -> None:
    async with await explaining(crowd.shard.conninfo(APP)) as session:
        reads = ReadConnection(session)
        assert await uploads.expired(reads, 50) == []
        assert await idempotency.tenants_with_expired(reads, 50) == []
