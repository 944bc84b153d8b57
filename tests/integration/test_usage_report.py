"""The usage report: right sums from an index alone, counted once for many callers."""

import asyncio
import logging
import time
from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.access.admission import TenantAccess
from services.tenant.reports import Reports
from shards import usage
from shards.usage import Usage
from tests.integration.databases import ShardDatabase
from tests.integration.desk import Desk, caller_of
from tests.integration.explaining import nodes
from tests.integration.library import reader, reading

_log = logging.getLogger(__name__)

# Documents over a year, of three types by turns, every seventh deleted; three versions each.
_FILL = (
    "SET session_replication_role = replica",
    """
    INSERT INTO docshard.documents
           (client_id, id, original_name, mime_type, created_by, created_at, deleted_at)
    SELECT %(client)s, gen_random_uuid(), 'd', 'text/' || n %% 3, %(client)s,
           '2025-01-01Z'::timestamptz + n * interval '1 year' / %(size)s,
           CASE WHEN n %% 7 = 0 THEN now() END
      FROM generate_series(0, %(size)s - 1) AS n
    """,
    """
    INSERT INTO docshard.document_versions (client_id, id, document_id, version_number, s3_key,
           checksum_sha256, size, mime_type, created_by, created_at)
    SELECT client_id, gen_random_uuid(), id, n, 'key', sha256(''), 10 * n, mime_type, client_id,
           created_at + interval '1 hour'
      FROM docshard.documents, generate_series(1, 3) AS n
     WHERE client_id = %(client)s
    """,
    "SET session_replication_role = origin",
)


async def filled(shard: ShardDatabase, size: int) -> UUID:
    client_id = await shard.admit()
    async with shard.session() as superuser:
        for statement in _FILL:
            await superuser.execute(statement.encode(), {"client": client_id, "size": size})
        await superuser.execute("VACUUM (ANALYZE)")
    return client_id


@pytest.mark.parametrize("size", [7_014, pytest.param(210_000, marks=pytest.mark.torture)])
async def test_sums_by_type_and_month_come_from_indexes(shard_db: ShardDatabase, size: int) -> None:
    await filled(shard_db, 500)
    client_id = await filled(shard_db, size)
    async with await reading(shard_db) as session:
        began = time.perf_counter()
        report = await usage.report(reader(session, client_id))
        _log.info("%d documents counted in %.0f ms", size, (time.perf_counter() - began) * 1000)
        living = size * 6 // 7
        assert report.total == Usage(living, 3 * size, 60 * size)
        assert [name for name, _ in report.by_mime_type] == ["text/0", "text/1", "text/2"]
        assert {one.versions for _, one in report.by_mime_type} == {size}
        assert report.by_month[-1][0].isoformat() == "2025-01-01"
        assert sum(one.documents for _, one in report.by_month) == living
        assert sum(one.bytes for _, one in report.by_month) == 60 * size
        assert abs((datetime.now(UTC) - report.as_of).total_seconds()) < 60
        scans = [node for plan in session.plans for node in nodes(plan) if "Index Name" in node]
    versions = [node for node in scans if node["Index Name"] == "idx_document_versions_usage"]
    assert [node["Node Type"] for node in versions] == ["Index Only Scan"]


async def test_an_empty_client_has_an_empty_report(shard_db: ShardDatabase) -> None:
    client_id = await shard_db.admit()
    async with await reading(shard_db) as session:
        report = await usage.report(reader(session, client_id))
    assert report.total == Usage(0, 0, 0)
    assert (report.by_mime_type, report.by_month) == ([], [])


async def test_many_types_are_cut_and_still_summed(shard_db: ShardDatabase) -> None:
    client_id = await filled(shard_db, 400)
    async with shard_db.session() as superuser:
        await superuser.execute("SET session_replication_role = replica")
        await superuser.execute(
            "UPDATE docshard.document_versions SET mime_type = 'type/' || md5(document_id::text)"
        )
    async with await reading(shard_db) as session:
        report = await usage.report(reader(session, client_id))
    assert len(report.by_mime_type) == usage.MOST
    assert report.total.versions == 1_200


async def test_callers_share_a_count_and_keep_it_for_a_minute(desk: Desk) -> None:
    reports, access = Reports(), desk.access
    found = await asyncio.gather(*(reports.usage(desk.resources, access) for _ in range(20)))
    assert len({id(one) for one in found}) == 1
    document = await desk.document()
    await desk.uploaded(document, b"content")
    assert await reports.usage(desk.resources, access) is found[0]
    fresh = await Reports().usage(desk.resources, access)
    assert (fresh.total, fresh.as_of > found[0].as_of) == (Usage(1, 1, 7), True)
    other = caller_of(await desk.workplace.fleet.tenant("shard-2"))
    assert isinstance(other, TenantAccess)
    assert (await reports.usage(desk.resources, other)).total == Usage(0, 0, 0)
