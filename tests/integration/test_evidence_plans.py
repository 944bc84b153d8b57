"""A proof reads every row once, by the tenant's indexes, in ranges that leave no document out."""

import pytest

from shards import archives, evidence
from shards.archives import StoredObject
from shards.evidence import FIRST, LAST, Portion, Range
from tests.integration.crowd import Crowd
from tests.integration.library import reader, reading

pytestmark = pytest.mark.versions


async def test_evidence_is_gathered_through_indexes(crowd: Crowd) -> None:
    async with await reading(crowd.shard) as session:
        for client in (crowd.clients[0], crowd.clients[3]):
            tenant, after, found, ranges = reader(session, client), FIRST, [], 0
            since = (await crowd.rows("documents", client))[0]["created_at"]
            while after != LAST:
                upto = await evidence.upto(tenant, after, Portion(documents=400, rows=700))
                found += await evidence.facts(tenant, Range(after, upto), since)
                after, ranges = upto, ranges + 1
            documents = {row["id"] for row in await crowd.rows("documents", client)}
            entities = {row["entity_id"] for row in await crowd.rows("audit_logs", client)}
            there = [one.document_id for one in found if one.exists]
            assert len(there) == len(documents) and set(there) == documents
            assert {one.document_id for one in found} <= documents | entities
            versions = await crowd.rows("document_versions", client)
            assert sum(one.versions for one in found) == len(versions)
            assert ranges > len(documents) / 400
            stored = StoredObject(0, 0, b"", 1, 50)
            assert await archives.linked(tenant, stored, since, since) == 0
        crowd.check(session)
