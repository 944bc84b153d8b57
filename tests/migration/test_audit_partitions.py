"""Months of the audit log: made ahead, found by their rows, and in nobody's way."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
import uuid_utils.compat as uuid_utils

from global_db import partitions
from global_db.connection import RawConnection
from global_db.errors import LockNotAvailable
from tests.integration.postgres import APP, WORKER, Database, Postgres
from tests.integration.waiting import until

pytestmark = pytest.mark.versions

INSERT = """
    INSERT INTO docshard.audit_logs
           (client_id, id, action, entity_type, entity_id, created_at, content_hash)
    VALUES (%s, %s, 'a', 'document', %s, %s, '')
    RETURNING tableoid::regclass::text AS partition, octet_length(content_hash) AS hashed
"""
FAR = date(2099, 7, 15)


def partition_of(day: date) -> str:
    return f"docshard.audit_logs_{day:%Y_%m}"


def months_later(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


@dataclass(frozen=True)
class Log:
    """A database with an audit log, and a session of the application that writes to it."""

    database: Database
    app: RawConnection
    client_id: UUID

    async def write(self, at: datetime) -> str:
        """Add an entry of this time; answers the partition it went to."""
        async with self.app.transaction():
            await self.enter()
            names = [self.client_id, uuid_utils.uuid7(), self.client_id, at]
            row = await (await self.app.execute(INSERT, names)).fetchone()
            assert row is not None
            assert row["hashed"] == 32
            return str(row["partition"])

    async def enter(self) -> None:
        if self.database.name.startswith("shard"):
            await self.app.execute("SELECT docshard.enter_write(%s, 1)", [self.client_id])

    async def make(self, day: date) -> bool:
        async with self.database.cluster(WORKER) as cluster, cluster.write() as connection:
            return await partitions.make(connection, day)


@pytest.fixture(params=["global", "shard"])
async def log(request: pytest.FixtureRequest, postgres: Postgres) -> AsyncIterator[Log]:
    kind = request.param
    name = f"{kind}_{uuid_utils.uuid7().hex}"
    with postgres.database(f"template_{kind}", name) as database:
        async with database.session(APP) as app:
            client_id = uuid_utils.uuid7()
            if kind == "shard":
                await app.execute("SELECT docshard.admit(%s, 1)", [client_id])
            yield Log(database, app, client_id)


async def test_this_month_and_the_next_three_are_there(log: Log) -> None:
    today = datetime.now(UTC).date()
    for ahead in range(4):
        month = months_later(today, ahead)
        assert not await log.make(month)
        noon = datetime(month.year, month.month, 3, 12, tzinfo=UTC)
        assert await log.write(noon) == partition_of(month)


async def test_a_row_lands_in_its_month_to_the_microsecond(log: Log) -> None:
    month = months_later(datetime.now(UTC).date(), 1)
    begin = datetime(month.year, month.month, 1, tzinfo=UTC)
    assert await log.write(begin) == partition_of(month)
    before = begin - timedelta(microseconds=1)
    assert await log.write(before) == partition_of(before.date())


async def test_what_no_month_was_made_for_is_kept(log: Log) -> None:
    for day in (FAR, date(1999, 1, 1)):
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        assert await log.write(moment) == "docshard.audit_logs_default"


async def test_a_month_is_made_once(log: Log) -> None:
    assert await log.make(FAR)
    assert not await log.make(FAR)
    assert not await log.make(FAR.replace(day=1))
    assert await log.write(datetime(2099, 7, 31, 23, 59, tzinfo=UTC)) == partition_of(FAR)


async def test_two_workers_make_a_month_once(log: Log) -> None:
    made = await asyncio.gather(*(log.make(FAR) for _ in range(4)), return_exceptions=True)
    assert made.count(True) == 1
    assert all(isinstance(one, bool | LockNotAvailable) for one in made), made
    assert not await log.make(FAR)


async def test_the_time_zone_of_a_session_moves_no_border(log: Log) -> None:
    async with log.database.session(WORKER) as worker:
        await worker.execute("SET TimeZone = 'Pacific/Kiritimati'")
        await worker.execute("SELECT docshard.make_audit_partition(%s)", [FAR])
    assert await log.write(datetime(2099, 7, 1, tzinfo=UTC)) == partition_of(FAR)


async def test_a_reader_of_the_root_delays_the_month_and_no_writer(log: Log) -> None:
    now = datetime.now(UTC)
    async with log.database.session() as watcher, log.database.session() as reader:
        await reader.execute("BEGIN")
        await reader.execute("SELECT count(*) FROM docshard.audit_logs")
        making = asyncio.create_task(log.make(FAR))
        await until_a_table_is_waited_for(watcher)
        # Both while the maker waits and after it has given up.
        await log.write(now)
        with pytest.raises(LockNotAvailable):
            await making
        await log.write(now)
    assert await log.make(FAR)


async def until_a_table_is_waited_for(watcher: RawConnection) -> None:
    async def waits() -> bool:
        cursor = await watcher.execute(
            "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'relation' AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return await cursor.fetchone() is not None

    await until(waits)


async def test_a_new_month_stands_behind_the_same_wall(log: Log) -> None:
    await log.make(FAR)
    moment = datetime(2099, 7, 2, tzinfo=UTC)
    assert await log.write(moment) == partition_of(FAR)
    for statement in (
        "UPDATE docshard.audit_logs SET action = 'b'",
        "DELETE FROM docshard.audit_logs",
        "TABLE docshard.audit_logs_2099_07",
        "DROP TABLE docshard.audit_logs_2099_07",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with log.app.transaction():
                await log.enter()
                await log.app.execute(statement)
    # Even of the superuser: an entry never changes.
    async with log.database.session() as superuser:
        with pytest.raises(psycopg.Error, match="never change"):
            await superuser.execute("UPDATE docshard.audit_logs SET action = 'b'")


async def test_only_the_worker_makes_months(log: Log) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await log.app.execute("SELECT docshard.make_audit_partition(%s)", [FAR])
