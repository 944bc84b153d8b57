"""Rows of DEFAULT are given their month while others read and write, and nobody misses one."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from global_db import partitions
from tests.integration.old_months import SEEN
from tests.integration.postgres import WORKER
from tests.integration.waiting import until
from tests.migration.test_audit_partitions import (
    FAR,
    Log,
    log,
    partition_of,
    until_a_table_is_waited_for,
)

__all__ = ["log"]

pytestmark = pytest.mark.versions

NOON = datetime(FAR.year, FAR.month, FAR.day, 12, tzinfo=UTC)


async def settle(log: Log, month: date = FAR) -> int:
    async with log.database.cluster(WORKER) as cluster:
        return await partitions.settle(cluster, month.replace(day=1))


async def asked(log: Log, question: str) -> list[dict[str, Any]]:
    async with log.database.session() as superuser:
        return await (await superuser.execute(question.encode())).fetchall()


async def test_rows_get_their_month_as_they_are(log: Log) -> None:
    for second in range(30):
        await log.write(NOON + timedelta(seconds=second))
    other = datetime(2098, 1, 1, tzinfo=UTC)
    await log.write(other)
    before = await asked(log, SEEN)
    queue = "SELECT count(*) AS rows FROM docshard.audit_pending"
    queued = await asked(log, queue)
    async with log.database.cluster(WORKER) as cluster, cluster.read() as connection:
        assert await partitions.stray(connection) == [date(2098, 1, 1), FAR.replace(day=1)]

    assert await settle(log) == 30
    assert await asked(log, SEEN) == before
    assert await asked(log, queue) == queued  # none of them is new to the chain
    assert len(await asked(log, "SELECT id FROM docshard.audit_logs_default")) == 1
    assert await log.write(NOON) == partition_of(FAR)
    wall = "SELECT relrowsecurity FROM pg_class WHERE relname = 'audit_logs_2099_07'"
    shard = log.database.name.startswith("shard")
    assert [row["relrowsecurity"] for row in await asked(log, wall)] == [shard]
    with pytest.raises(partitions.MonthNotReady):
        await settle(log)


async def test_nobody_misses_a_row_or_sees_one_twice(log: Log) -> None:
    """Writers add to the month that is settled; readers count all the while, new and old alike."""
    counting = "SELECT count(*) AS rows, count(DISTINCT id) AS ids FROM docshard.audit_logs"
    written, seen = 0, 0
    stop = asyncio.Event()

    async def write() -> None:
        nonlocal written
        while not stop.is_set():
            await log.write(NOON + timedelta(seconds=written))
            written += 1

    async def count() -> None:
        nonlocal seen
        async with log.database.session() as reader:
            while not stop.is_set():
                least = written
                row = await (await reader.execute(counting)).fetchone()
                assert row is not None
                assert row["rows"] == row["ids"]
                assert least <= row["rows"] <= written + 1
                seen += 1

    async def reached(rows: int, counts: int) -> bool:
        return written >= rows and seen >= counts

    async def work() -> None:
        async with log.database.session() as old:
            await until(lambda: reached(200, 0))
            await old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            # Its snapshot lies between: a write may end before its writer is told, or we are.
            least = written
            await old.execute("SELECT")
            most = written + 1
            assert await settle(log) >= least
            # A snapshot of before sees what there was, though the month is new to it.
            row = await (await old.execute(counting)).fetchone()
            assert row is not None
            assert least <= row["rows"] == row["ids"] <= most
        later = seen + 3
        await until(lambda: reached(0, later))
        stop.set()

    async with asyncio.TaskGroup() as group:
        for task in (write(), count(), count(), work()):
            group.create_task(task)
    assert await asked(log, "SELECT id FROM docshard.audit_logs_default") == []
    assert len(await asked(log, "SELECT id FROM docshard.audit_logs")) == written


async def test_a_reader_delays_it_and_no_writer(log: Log) -> None:
    await log.write(NOON)
    async with log.database.session() as watcher, log.database.session() as reader:
        await reader.execute("BEGIN")
        await reader.execute("SELECT count(*) FROM docshard.audit_logs")
        settling = asyncio.create_task(settle(log))
        for _ in range(2):
            await until_a_table_is_waited_for(watcher)
            # While it waits, and between its attempts.
            await log.write(NOON)
        await reader.execute("COMMIT")
        assert await settling == 3


async def test_only_the_worker_may(log: Log) -> None:
    month = FAR.replace(day=1)
    for call in ("stray_audit_months()", f"settle_audit_month('{month}')",
                 f"detach_audit_month('{month}')", f"drop_audit_month('{month}', 0)"):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await log.app.execute(f"SELECT docshard.{call}".encode())
    async with log.database.session(WORKER) as worker:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await worker.execute("SELECT docshard.move_stray_audit_rows('users', now(), now())")
