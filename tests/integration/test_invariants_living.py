"""The proof of I5 to I8 has nothing to say of a healthy fleet, whatever that is doing."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

import pytest

from global_db.directory import clients_by_shard
from services.access.admission import TenantAccess
from services.errors import TenantMoving
from services.fleet.invariants.proof import Rule, Scope
from services.fleet.invariants.scope import Sample
from services.fleet.moving.runner import Rhythm
from services.tenant import documents
from services.tenant.documents import DocumentPatch
from tests.integration.move_desk import Desk, desk
from tests.integration.proving import SETTLED, Proving, anything

LIVING = Scope(staleness=None)
_WRITE_SECONDS, _WORK_SECONDS = 0.05, 0.2


@asynccontextmanager
async def busy(proven: Proving, owners: Sequence[TenantAccess]) -> AsyncIterator[None]:
    """Each tenant is written to, and the worker links, until the block ends."""
    stop = asyncio.Event()

    async def write(access: TenantAccess, shared: UUID) -> None:
        for number in itertools.count():
            patch = DocumentPatch(metadata={"number": number})
            with contextlib.suppress(TenantMoving):  # on a busy machine, for longer than usual
                await documents.update(proven.router, access, shared, patch, anything)
                if not number % 4:
                    await proven.put(access, await proven.document(access), f"content {number}")
            if await rested(_WRITE_SECONDS):
                return

    async def work() -> None:
        while not await rested(_WORK_SECONDS):
            await proven.link()

    async def rested(seconds: float) -> bool:
        """Whether it is over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
        return stop.is_set()

    async with asyncio.TaskGroup() as group:
        for access in owners:
            shared = await proven.document(access)
            # Two meet at one document: what commits later may have begun earlier.
            for _ in range(2):
                group.create_task(write(access, shared))
        group.create_task(work())
        try:
            yield
        finally:
            stop.set()


@pytest.fixture
async def at(proven: Proving) -> AsyncIterator[Desk]:
    async with desk(proven.workplace.fleet) as opened:
        yield opened


@pytest.mark.versions
async def test_a_busy_fleet_with_a_move_under_way_is_proven(proven: Proving, at: Desk) -> None:
    moves, stays = await proven.tenant(), await proven.tenant("shard-2")
    proofs = 0
    async with busy(proven, [moves, stays]), at.runner(rhythm=Rhythm()):
        move = await at.order({moves.client_id: 1})
        while (await at.get(move)).state != "swept":
            report = await proven.prove(LIVING)
            assert report.findings == []
            assert report.tenants == 2
            proofs += 1
        assert (await proven.prove(LIVING)).findings == []
    assert proofs > 1
    report = await proven.prove(replace(SETTLED, reads_blobs=True))
    assert report.findings == []
    assert report.versions == report.blobs > 1


async def test_a_part_is_proven_alone(proven: Proving) -> None:
    access, *others = [await proven.tenant(name) for name in ("shard-1", "shard-2", "shard-2")]
    await proven.stories([access, *others])
    alone = await proven.prove(replace(SETTLED, client=access.client_id))
    assert (alone.tenants, alone.documents, alone.blobs) == (1, 1, 3)
    async with proven.sources.data.global_db.read() as connection:
        homes = await clients_by_shard(connection)
    assert 1 <= homes["shard-1"] < homes["shard-2"]
    of_shards = {name: await proven.prove(replace(SETTLED, shard=name)) for name in homes}
    assert {name: report.tenants for name, report in of_shards.items()} == homes
    everybody = await proven.prove()
    assert everybody.tenants == sum(homes.values())
    assert (await proven.prove(replace(SETTLED, sample=Sample(count=1)))).tenants == 1
    assert (await proven.prove(replace(SETTLED, sample=Sample(share=1e-9)))).tenants == 0
    blobs = await proven.prove(replace(SETTLED, rules=frozenset({Rule.STORED})))
    assert (blobs.documents, blobs.links, blobs.blobs) == (0, 0, everybody.blobs)
