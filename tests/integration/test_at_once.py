"""A transaction in one message, and connections that are cancelled in the middle of one."""

import asyncio

import psycopg
import pytest
import sqlalchemy as sa

from global_db.at_once import Work
from global_db.connection import roll_back
from global_db.errors import LockNotAvailable, OutcomeUnknown
from global_db.statement import write
from tests.integration.postgres import MOVER
from tests.integration.single_line import FAIL, LOCK, SAY, TAKE, Line, make_line
from tests.integration.waiting import until, until_waiting

__all__ = ["make_line"]

pytestmark = pytest.mark.versions


async def test_it_is_one_message_and_all_or_nothing(line: Line) -> None:
    before = len(line.wire.requests)
    done = await line.cluster.write_at_once(
        Work(TAKE, {"key": LOCK}), Work(SAY, {"number": 1}), Work(SAY, {"number": 2})
    )
    assert [rows[0].get("said") for rows in done.rows] == [None, 2, 3]
    assert done.rows[1][0]["text"] == "50 %"
    assert done.position.lsn > 0
    sent = [one for one in line.wire.requests[before:] if b"READ COMMITTED" in one]
    assert len(sent) == 1 and b"COMMIT;" in sent[0]
    kept = await line.pid()
    with pytest.raises(psycopg.errors.DivisionByZero):
        await line.cluster.write_at_once(Work(TAKE, {"key": LOCK}), Work(FAIL, {"number": 0}))
    assert await line.pid() == kept
    async with line.fleet.shards["shard-1"].session() as other:
        await other.execute("SELECT pg_advisory_lock(%s)", [LOCK])


async def test_a_lock_that_is_not_free_and_a_line_that_breaks(line: Line) -> None:
    async with line.fleet.shards["shard-1"].session() as other, other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        impatient = Work(write(sa.select(sa.func.set_config("lock_timeout", "1", sa.true()))), {})
        with pytest.raises(LockNotAvailable):
            await line.cluster.write_at_once(impatient, Work(TAKE, {"key": LOCK}))
    for cut in (line.wire.cut_before, line.wire.cut_after):
        cut(b"50 %")
        with pytest.raises(OutcomeUnknown):
            await line.cluster.write_at_once(Work(SAY, {"number": 1}))

        async def back() -> bool:
            return line.cluster.available

        await until(back)


async def test_cancelled_in_a_pipeline_it_leaves_a_clean_connection_to_the_next(
    line: Line,
) -> None:
    async def transact() -> None:
        async with line.cluster.write() as connection:
            await connection.send(SAY, number=1)
            await connection.returning(TAKE, key=LOCK)

    for _ in range(3):
        async with line.fleet.shards["shard-1"].session() as other, other.transaction():
            await other.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            pid = await line.pid()
            working = asyncio.create_task(transact())
            await until_waiting(other, pid)
            working.cancel()
            with pytest.raises(asyncio.CancelledError):
                await working
        await transact()


async def test_a_connection_that_stays_in_pipeline_mode_is_closed_and_no_other(line: Line) -> None:
    """COMMIT's message of several statements would be refused, to whoever borrows it next."""
    async with line.fleet.shards["shard-1"].session(MOVER) as raw:
        with pytest.raises(psycopg.errors.DivisionByZero):
            await raw.execute("BEGIN; SELECT 1 / 0")
        await roll_back(raw)
        assert not raw.closed
        raw.pgconn.enter_pipeline_mode()
        await roll_back(raw)
        assert raw.closed


async def test_who_is_refused_keeps_the_connection(line: Line) -> None:
    """A fence refuses many callers at once: to connect anew would cost each of them more."""
    pid = await line.pid()
    for _ in range(3):
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with line.cluster.write() as connection:
                await connection.returning(FAIL, number=0)
    assert await line.pid() == pid
