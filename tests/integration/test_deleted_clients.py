"""What a deleted client left behind is still examined and swept, and hinders nothing."""

import pytest

from services.chain.verification import Extent
from services.errors import NotFound
from services.fleet import audit_chains, audit_links, blob_check, sweeps
from services.fleet.blob_check import BlobReport
from services.fleet.clients import living_or_deleted
from services.resources import open_data
from services.settings import DatabaseRole
from services.tenant import documents
from tests.integration.desk import Desk
from tests.integration.postgres import SUPERUSER

EXPIRED = """INSERT INTO docshard.idempotency_keys
    (client_id, principal_id, key, request_hash, created_at, expires_at)
    VALUES (%s, gen_random_uuid(), 'old', sha256(''), now(), now() - interval '1 second')"""


async def delete_client(desk: Desk) -> None:
    async with desk.workplace.fleet.global_db.session(SUPERUSER) as session:
        statement = "UPDATE docshard.clients SET deleted_at = now() WHERE id = %s"
        await session.execute(statement, [desk.client_id])
    desk.resources.data.placements.forget(desk.client_id)


async def examined(desk: Desk) -> BlobReport:
    async with open_data(desk.workplace.settings(), DatabaseRole.ADMIN) as data:
        return await blob_check.check(data, desk.resources.blobs, blob_check.WHOLE)


async def test_its_blobs_are_examined_and_its_debris_is_swept(desk: Desk) -> None:
    """I8, also for those who are gone and may be restored."""
    document = await desk.document()
    kept = await desk.uploaded(document, b"kept")
    await desk.begin(document, b"never sent")
    async with desk.workplace.fleet.shards["shard-1"].session() as session:
        await session.execute("SET session_replication_role = replica")
        await session.execute(EXPIRED, [desk.client_id])
        await session.execute("UPDATE docshard.uploads SET expires_at = now() - interval '1 s'")
    await delete_client(desk)

    report = await examined(desk)
    assert (report.tenants, report.versions, report.missing, report.unseen) == (1, 1, [], [])
    async with desk.workplace.process(DatabaseRole.WORKER) as worker:
        assert await sweeps.remove_expired_uploads(worker) == sweeps.Swept(1)
        assert await sweeps.remove_expired_idempotency_keys(worker) == sweeps.Swept(1)
    assert await desk.blobs() == [kept.s3_key]
    with pytest.raises(NotFound):
        await documents.get(desk.resources, desk.access, document.id)


async def test_its_audit_chain_is_verified(desk: Desk) -> None:
    await desk.document()
    await delete_client(desk)
    async with desk.workplace.process(DatabaseRole.WORKER) as worker:
        await audit_links.link_shard(worker.data.registry.cluster("shard-1"))
    async with open_data(desk.workplace.settings(), DatabaseRole.ADMIN) as data:
        await data.registry.refresh()
        assert (await living_or_deleted(data, str(desk.client_id))).id == desk.client_id
        keyring = desk.resources.secrets.keyring
        found = [one async for one in audit_chains.verify_all(data, keyring, Extent())]
    (own,) = [one for one in found if one.client_id == desk.client_id]
    assert own.name.endswith(" (deleted)")
    assert own.ok and own.report is not None and own.report.checked == 1


async def test_a_client_that_is_being_made_does_not_stop_the_examination(desk: Desk) -> None:
    """Its shard knows it already, the directory not yet."""
    await desk.uploaded(await desk.document(), b"seen")
    async with desk.workplace.fleet.shards["shard-1"].session() as session:
        await session.execute("SELECT docshard.admit(gen_random_uuid(), 1)")
    report = await examined(desk)
    assert (report.tenants, report.versions, report.unseen) == (1, 1, [])
