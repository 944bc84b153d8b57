"""A proof reads every row once, by the tenant's indexes, in ranges that leave no document out."""

from datetime import UTC, datetime

from shards import archives, evidence
from shards.archives import StoredObject
from shards.evidence import FIRST, LAST, Portion, Range
from tests.integration.crowd import Crowd
from tests.integration.library import reader, reading

SINCE = datetime(2000, 1, 1, tzinfo=UTC)


async def test_evidence_is_gathered_through_indexes(crowd: Crowd) -> None:
    async with await reading(crowd.shard) as session:
        for client in (crowd.clients[0], crowd.clients[3]):
            tenant, after, found, ranges = reader(session, client), FIRST, [], []
            while after != LAST:
                ranges.append(Range(after, await evidence.upto(tenant, after, Portion(400, 700))))
                after = ranges[-1].upto
            await archives.linked(tenant, StoredObject(0, 0, b"", 1, 50), SINCE, SINCE)
            crowd.check(session)
            session.plans.clear()
            for range_ in ranges:
                found += await evidence.facts(tenant, range_, SINCE)
            # All audit rows of this crowd are of five entities, so a range has very many of them:
            # those are read at once, and rightly so.
            for node in session.scans():
                if node["Relation Name"] in {"documents", "document_versions"} & crowd.large:
                    assert node["Node Type"] != "Seq Scan", node
            session.plans.clear()
            documents = {row["id"] for row in await crowd.rows("documents", client)}
            entities = {row["entity_id"] for row in await crowd.rows("audit_logs", client)}
            there = [one.document_id for one in found if one.exists]
            assert len(there) == len(documents) and set(there) == documents
            assert {one.document_id for one in found} <= documents | entities
            versions = await crowd.rows("document_versions", client)
            assert sum(one.versions for one in found) == len(versions)
            assert len(ranges) >= len(documents) / 400
