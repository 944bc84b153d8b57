"""Restore points: all clusters or none, and placement stands still while they are made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from global_db import restore_points
from services.blobs.store import BlobStore
from services.fleet.point_manifests import Manifests
from services.fleet.restore_points import PointWish, list_points, make_point
from services.s3_settings import S3Settings
from tests.integration.databases import Fleet
from tests.integration.postgres import ADMIN, APP, WORKER, Database
from tests.integration.waiting import until

_EPOCH = "UPDATE docshard.clients SET epoch = epoch + 1 WHERE id = %s"
_WAITING = """
    SELECT count(*) AS waiting FROM pg_locks l JOIN pg_database d ON d.oid = l.database
     WHERE d.datname = current_database() AND NOT l.granted AND l.locktype = 'relation'
"""


@pytest.fixture
async def manifests(blobs: BlobStore, s3_settings: S3Settings) -> AsyncIterator[Manifests]:
    kept = Manifests([s3_settings], "/docshard")
    yield kept
    await kept.close()


async def waiting(database: Database) -> bool:
    async with database.session() as session:
        row = await (await session.execute(_WAITING)).fetchone()
    assert row is not None
    return bool(row["waiting"])


async def test_a_point_is_in_every_cluster_and_beside_the_backups(
    fleet_dbs: Fleet, manifests: Manifests
) -> None:
    async with fleet_dbs.opened(WORKER) as data:
        point = await make_point(data, manifests, PointWish("before-release", "a release"))
        automatic = await make_point(data, manifests, PointWish())
        assert await list_points(data, 2) == [automatic, point]
    assert set(point.positions) == {"global", "shard-1", "shard-2"}
    assert all(one["timeline"] == 1 for one in point.positions.values())
    assert await manifests.find("before-release") == point
    assert await manifests.find(str(automatic.id)) == automatic
    assert await manifests.find("before") is None
    assert await manifests.forget(point.created_at - timedelta(seconds=2)) == 0
    assert await manifests.forget(automatic.created_at + timedelta(seconds=2)) >= 2
    assert await manifests.find("before-release") is None
    async with fleet_dbs.global_db.session() as session:
        audit = await session.execute("SELECT entity_id, reason FROM docshard.audit_logs")
        assert [(row["entity_id"], row["reason"]) for row in await audit.fetchall()] == [
            (point.id, "a release")
        ]


async def test_a_point_waits_for_whoever_has_changed_the_directory(
    fleet_dbs: Fleet, manifests: Manifests
) -> None:
    """What is changed and not committed yet would be in one cluster's past, not in the other's."""
    tenant = await fleet_dbs.tenant()
    async with fleet_dbs.opened(WORKER) as data, fleet_dbs.global_db.session(ADMIN) as mover:
        await mover.execute("BEGIN")
        await mover.execute(_EPOCH, [tenant])
        making = asyncio.create_task(make_point(data, manifests, PointWish()))
        await until(lambda: waiting(fleet_dbs.global_db))
        assert not making.done()
        await mover.execute("COMMIT")
        assert (await making).positions


async def test_placement_stands_still_meanwhile_and_nothing_else(fleet_dbs: Fleet) -> None:
    tenant = await fleet_dbs.tenant()
    async with (
        fleet_dbs.opened(WORKER) as data,
        fleet_dbs.global_db.session(ADMIN) as mover,
        fleet_dbs.global_db.session(APP) as router,
        fleet_dbs.shards["shard-1"].session(APP) as writer,
    ):
        async with data.global_db.write() as held:
            assert await restore_points.hold(held, 300) == {"shard-1", "shard-2"}
            switching = asyncio.create_task(mover.execute(_EPOCH, [tenant]))
            await until(lambda: waiting(fleet_dbs.global_db))
            await router.execute("SELECT shard FROM docshard.clients WHERE id = %s", [tenant])
            await writer.execute("SELECT docshard.enter_write(%s, 1)", [tenant])
            assert not switching.done()
        await switching
