"""Connections that are kept: one for all works, given back in every path, lost as any other."""

import asyncio

import psycopg
import pytest

from global_db.at_once import Work
from global_db.cluster import Cluster
from global_db.errors import ConnectionLost, OutcomeUnknown
from tests.integration.postgres import MOVER
from tests.integration.single_line import (
    FAIL,
    LOCK,
    PID,
    SAY,
    TAKE,
    TWO,
    Line,
    make_line,
    pid_of,
)
from tests.integration.waiting import until, until_waiting

__all__ = ["make_line"]

pytestmark = pytest.mark.versions

SAYING, TAKING, FAILING = (
    Work(SAY, {"number": 1}),
    Work(TAKE, {"key": LOCK}),
    Work(FAIL, {"number": 0}),
)
HOLD = "SELECT pg_advisory_xact_lock(%s)"


def works(cluster: Cluster) -> int:
    """How many pieces of work were counted."""
    return sum(cluster.tally.primary.counts)


async def test_every_work_goes_over_one_connection_that_rests_in_between(line: Line) -> None:
    pid, before = await line.pid(), works(line.cluster)
    [node] = line.cluster.nodes
    async with line.cluster.keep() as kept:
        assert await pid_of(kept) == pid
        assert node.pool.get_stats()["pool_available"] == 0
        assert (await kept.write_at_once(SAYING)).rows == [[{"said": 2, "text": "50 %"}]]
        async with kept.write() as connection:
            assert await connection.returning(SAY, number=2) is not None
        await kept.rehearse_at_once(SAYING)
        assert node.outstanding == 0
        async with kept.read() as connection:
            assert node.outstanding == 1
            assert await connection.one(PID) == {"pid": pid}
    assert works(line.cluster) - before == 5
    assert await line.pid() == pid


async def test_what_is_rehearsed_is_undone_but_for_what_the_session_has_learnt(line: Line) -> None:
    async with line.cluster.keep() as kept:
        await kept.rehearse_at_once(TAKING)
        async with line.fleet.shards["shard-1"].session() as other, other.transaction():
            await asyncio.wait_for(other.execute(HOLD, [LOCK]), 5)
        with pytest.raises(psycopg.errors.DivisionByZero):
            await kept.rehearse_at_once(TAKING, FAILING)
        await kept.write_at_once(SAYING)
    assert line.wire.count(b"ROLLBACK;") >= 2


async def test_it_is_given_back_whatever_happens(line: Line) -> None:
    pid = await line.pid()
    with pytest.raises(psycopg.errors.DivisionByZero):
        async with line.cluster.keep() as kept:
            await kept.write_at_once(FAILING)
    with pytest.raises(psycopg.errors.DivisionByZero):
        async with line.cluster.keep() as kept, kept.write() as connection:
            await connection.returning(FAIL, number=0)
    with pytest.raises(asyncio.CancelledError):
        async with line.cluster.keep() as kept:
            await kept.write_at_once(SAYING)
            raise asyncio.CancelledError
    assert await line.pid() == pid


async def test_a_work_that_outlives_the_block_gives_it_back_itself(line: Line) -> None:
    """As what is left of a switch that was too slow."""
    pid = await line.pid()
    [node] = line.cluster.nodes
    async with line.fleet.shards["shard-1"].session() as other:
        async with other.transaction():
            await other.execute(HOLD, [LOCK])
            async with line.cluster.keep() as kept:
                late = asyncio.create_task(kept.write_at_once(TAKING))
                await until_waiting(other, pid)
            assert node.pool.get_stats()["pool_available"] == 0
        await late
    assert await line.pid() == pid
    # Nothing is kept any more: what still asks there has one from the pool, and gives it back.
    assert await pid_of(kept) == pid
    assert node.pool.get_stats()["pool_available"] == 1


async def test_a_lost_one_fails_as_a_lent_one_and_the_next_is_another(line: Line) -> None:
    async def available() -> bool:
        return line.cluster.available

    async with line.cluster.keep() as kept, line.fleet.shards["shard-1"].session() as superuser:
        for lost in (ConnectionLost, OutcomeUnknown):
            pid = await pid_of(kept)
            await superuser.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            with pytest.raises(lost):
                if lost is OutcomeUnknown:
                    await kept.write_at_once(SAYING)
                await pid_of(kept)
            await until(available)
            assert await pid_of(kept) != pid
            assert (await kept.write_at_once(SAYING)).position.lsn > 0
    assert (await line.cluster.write_at_once(SAYING)).position.lsn > 0


async def test_a_second_work_at_the_same_moment_borrows_another(line: Line) -> None:
    login = line.fleet.global_db.login(MOVER)
    addresses = [line.wire.address]
    async with Cluster("shard-1", addresses, login, TWO) as cluster, cluster.keep() as kept:
        first = await pid_of(kept)
        async with line.fleet.shards["shard-1"].session() as other:
            async with other.transaction():
                await other.execute(HOLD, [LOCK])
                taking = asyncio.create_task(kept.write_at_once(TAKING))
                await until_waiting(other, first)
                assert await pid_of(kept) != first
            await taking
        assert await pid_of(kept) == first
