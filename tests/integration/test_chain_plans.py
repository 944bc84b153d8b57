"""Chains are read through indexes, by the tenant, over all table sizes."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from global_db.chain import BEGINNING
from global_db.connection import ReadConnection
from shards import chain
from tests.integration.crowd import Crowd
from tests.integration.explaining import explaining
from tests.integration.library import reader, reading
from tests.integration.postgres import WORKER

pytestmark = pytest.mark.versions

NOBODY = UUID(int=0)
SOON = datetime(2999, 1, 1, tzinfo=UTC)


async def test_a_chain_is_read_by_its_keys(crowd: Crowd) -> None:
    async with await reading(crowd.shard) as session:
        for client_id in (crowd.clients[0], crowd.clients[3]):
            tenant = reader(session, client_id)
            rows = await crowd.rows("audit_chain", client_id)
            tip = await chain.tip(tenant)
            assert (0 if tip is None else tip.seq) == len(rows)
            found = await chain.links(tenant, len(rows) // 2, 2**62, 10)
            first = len(rows) // 2 + 1
            assert [link.seq for link in found] == list(range(first, len(rows) + 1))[:10]
            assert all(link.content is not None for link in found)
            places = await chain.places(tenant, BEGINNING, SOON, 10)
            assert [place.seq for place in places] == list(range(1, len(rows) + 1))[:10]
            await chain.oldest_row(tenant)
            await chain.link_at(tenant, first)
        crowd.check(session)


async def test_the_worker_finds_heads_and_what_waits_without_looking_at_rows(crowd: Crowd) -> None:
    async with await explaining(crowd.shard.conninfo(WORKER)) as session:
        heads = await chain.tips(ReadConnection(session), NOBODY, 100)
        assert len(heads) <= len(crowd.clients)
        await chain.queued(ReadConnection(session), NOBODY, 100)
        crowd.check(session)
