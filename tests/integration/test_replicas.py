"""Reads on replicas: what a token promises holds on every server, and who lags is not asked."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from global_db.errors import ClusterUnavailable, WriteLost
from global_db.reading import Served
from shards.tenants import TenantReading, Write
from tests.integration.databases import Fleet
from tests.integration.moving import set_state
from tests.integration.pair import Way
from tests.integration.postgres import SUPERUSER, Site
from tests.integration.twins import STALE, Twins, after, twins_of
from tests.integration.waiting import until

pytestmark = pytest.mark.versions


@pytest.fixture
async def twins(postgres_site: Site, pair_template: Path, own_fleet: Fleet) -> AsyncIterator[Twins]:
    async with twins_of(postgres_site, pair_template, own_fleet) as made:
        yield made


async def test_without_a_word_the_primary_answers(twins: Twins) -> None:
    document_id, _ = await twins.write()
    assert await twins.read(document_id, TenantReading()) == (True, Served("primary"))


async def test_a_read_sees_the_write_of_its_token_wherever_it_is_answered(twins: Twins) -> None:
    answered = []
    async with twins.fleet.data() as other_worker:
        await twins.until_served_by("replica", data=other_worker)
        for _ in range(30):
            document_id, written = await twins.write()
            for data in (twins.data, other_worker):
                found, served = await twins.read(document_id, after(written), data)
                assert found
                answered.append(served.by)
    assert answered.count("replica") >= 40


async def test_a_replica_that_lags_answers_no_read_that_it_would_answer_wrongly(
    twins: Twins,
) -> None:
    twins.pair.replica.pause_replay()
    document_id, written = await twins.write()
    assert await twins.read(document_id, after(written)) == (True, Served("primary"))

    # As old as is allowed, it may answer, and says how old it is; then it may not.
    found, served = await twins.read(document_id, TenantReading(max_staleness=60))
    assert (found, served.by) == (False, "replica")
    assert served.lag_seconds is not None and 0 < served.lag_seconds < 60
    await twins.until_served_by("primary", TenantReading(max_staleness=0.5))

    twins.pair.replica.resume_replay()
    await twins.until_served_by("replica", after(written))
    assert (await twins.read(document_id, after(written)))[0]


async def test_a_frozen_replica_delays_a_read_for_moments_and_then_none(twins: Twins) -> None:
    document_id, written = await twins.write()
    await twins.until_served_by("replica", after(written))
    twins.pair.replica.freeze()
    begun = time.monotonic()
    assert await twins.read(document_id, after(written)) == (True, Served("primary"))
    assert time.monotonic() - begun < 5  # a statement's own deadline is 8 s
    for _ in range(10):
        begun = time.monotonic()
        assert await twins.read(document_id, after(written)) == (True, Served("primary"))
        assert time.monotonic() - begun < 2
    twins.pair.replica.thaw()
    await twins.until_served_by("replica", after(written))


async def test_without_a_primary_replicas_answer_and_say_how_old_they_are(twins: Twins) -> None:
    document_id, written = await twins.write()
    await twins.until_served_by("replica", after(written))
    twins.pair.primary.kill()
    for reading in (TenantReading(), STALE, after(written)):
        found, served = await twins.read(document_id, reading)
        assert (found, served.by) == (True, "replica")
        assert served.lag_seconds is not None
    # What the replica has not got is refused and not answered without it.
    ahead = replace(written.position, lsn=written.position.lsn + 2**20)
    with pytest.raises(ClusterUnavailable):
        await twins.read(document_id, TenantReading(5, Write(1, ahead)))
    with pytest.raises(ClusterUnavailable):
        await twins.write()


async def test_after_a_failover_tokens_hold_and_the_old_primary_is_not_followed(
    postgres_site: Site, pair_template: Path, own_fleet: Fleet
) -> None:
    async with twins_of(postgres_site, pair_template, own_fleet, Way(synchronous=True)) as twins:
        pair = twins.pair
        document_id, written = await twins.write()
        pair.primary.kill()
        pair.replica.promote()
        await twins.until_primary(pair.replica.postgres.port)
        assert (await twins.read(document_id, after(written)))[0]
        later_id, later = await twins.write()
        assert (later.position.timeline, written.position.timeline) == (2, 1)

        # It comes back as the primary it was: split brain, were it believed.
        pair.primary.start()
        for _ in range(10):
            assert await twins.read(later_id, after(later)) == (True, Served("primary"))
            assert await twins.read(later_id, TenantReading()) == (True, Served("primary"))
            await twins.write()
            await asyncio.sleep(0.05)
        # A process that has only ever met the old one does not answer for the new one.
        pair.replica.freeze()
        async with twins.fleet.data() as newcomer:
            with pytest.raises(ClusterUnavailable):
                await twins.read(later_id, after(later), newcomer)
        pair.replica.thaw()


async def test_a_write_behind_the_fork_is_called_lost_and_one_at_the_fork_is_asked_for(
    twins: Twins,
) -> None:
    document_id, written = await twins.write()
    await twins.until_served_by("replica", after(written))
    # The replica stops to receive: what follows exists on the old primary alone.
    twins.pair.replica.sql("ALTER SYSTEM SET primary_conninfo = ''")
    twins.pair.replica.sql("SELECT pg_reload_conf()")

    async def cut_off() -> bool:
        return not twins.pair.primary.sql("SELECT pid FROM pg_stat_replication")

    await until(cut_off)
    lost_id, lost = await twins.write()
    twins.pair.primary.kill()
    twins.pair.replica.promote()
    await twins.until_primary(twins.pair.replica.postgres.port)
    with pytest.raises(WriteLost):
        await twins.read(lost_id, after(lost))
    assert (await twins.read(document_id, after(written)))[0]
    # A token may lie behind other sessions' records: its own commit is looked for.
    beyond = replace(written.position, lsn=lost.position.lsn + 2**30)
    assert (await twins.read(document_id, TenantReading(5, Write(1, beyond))))[0]
    aborted = replace(beyond, xid=(lost.position.xid or 0))
    with pytest.raises(WriteLost):
        await twins.read(document_id, TenantReading(5, Write(1, aborted)))


async def test_at_a_move_a_replica_that_has_not_heard_of_it_is_not_believed(twins: Twins) -> None:
    """The token is of the old epoch; the replica still says open there, or not yet here."""
    document_id, written = await twins.write()
    await twins.until_served_by("replica", after(written))
    twins.pair.replica.pause_replay()
    async with twins.pair.database.session(SUPERUSER) as mover:
        await set_state(mover, twins.client_id, "open", epoch=2)
    await twins.fleet.place(twins.client_id, "shard-1", 2)
    twins.data.placements.forget(twins.client_id)
    assert await twins.read(document_id, after(written)) == (True, Served("primary"))
    twins.pair.replica.resume_replay()
    await twins.until_served_by("replica", after(written))


async def test_a_token_of_a_later_epoch_asks_the_directory_again(twins: Twins) -> None:
    document_id, written = await twins.write()
    await twins.data.placements.get(twins.client_id)
    async with twins.pair.database.session(SUPERUSER) as mover:
        await set_state(mover, twins.client_id, "open", epoch=2)
    await twins.fleet.place(twins.client_id, "shard-1", 2)
    newer = TenantReading(5, Write(2, written.position))
    assert (await twins.read(document_id, newer))[0]
