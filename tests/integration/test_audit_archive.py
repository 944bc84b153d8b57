"""Old months leave the log for the object store, whole and proven, whatever interrupts it."""

import asyncio
import logging
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from services.fleet import archive_overview, audit_doctor, sweeps
from services.ids import new_id
from shards import archives
from tests.integration import killed_archive, lives
from tests.integration.desk import Workplace
from tests.integration.old_months import (
    OldFleet,
    months_ago,
    old_fleet,
    unpacked,
    write_global,
    write_rows,
)

_log = logging.getLogger(__name__)
OLD, OLDER, KEPT = months_ago(25), months_ago(30), months_ago(24)
MOVE = """
    INSERT INTO docshard.moves (id, source, target, state)
    VALUES (%s, 'shard-1', 'shard-2', 'copying')
"""


@pytest.fixture
async def old(workplace: Workplace) -> AsyncIterator[OldFleet]:
    async with old_fleet(workplace) as made:
        yield made


async def archive(old: OldFleet, today: date | None = None) -> sweeps.Swept:
    swept = await sweeps.archive_months(old.worker, today)
    assert swept.failed == ()
    return swept


async def problem(old: OldFleet, month: date = OLD) -> str:
    """Why the archive of a month goes no further; the doctor says so too."""
    row = (await old.archives())[("shard-1", month)]
    findings = await audit_doctor.examine(old.worker.data, 24)
    assert any(row["problem"] in finding.what for finding in findings)
    return str(row["problem"])


async def test_old_months_are_archived_whole_and_the_others_stay(old: OldFleet) -> None:
    fleet = old.workplace.fleet
    clients = sorted([await fleet.tenant("shard-1"), await fleet.tenant("shard-1")])
    for client_id in clients:
        for month, rows in ((OLDER, 3), (OLD, 2_500), (KEPT, 4), (months_ago(0), 5)):
            await write_rows(old.shard, client_id, month, rows)
    await write_global(fleet.global_db, OLD, 7)
    await old.ready()
    written = await old.sql("SELECT * FROM docshard.audit_logs WHERE created_at < %s", KEPT)
    assert len(written) == 2 * 2_503

    assert (await archive(old)).done == 3
    states = {place: row["state"] for place, row in (await old.archives()).items()}
    assert states == dict.fromkeys(
        [("global", OLD), ("shard-1", OLDER), ("shard-1", OLD)], "dropped"
    )
    assert not {f"{OLD:%Y-%m}", f"{OLDER:%Y-%m}"} & await old.partitions()
    assert (await old.seen())[0] == 2 * 9

    found: dict[str, dict[str, Any]] = {}
    for client_id in clients:
        objects = await old.stored(f"audit-archive/{client_id}/")
        assert [key.split("/")[2] for key in objects] == [f"{OLDER:%Y-%m}", f"{OLD:%Y-%m}"]
        listed = await old.sql(
            "SELECT * FROM docshard.audit_archives WHERE client_id = %s ORDER BY month", client_id
        )
        for row, (key, content) in zip(listed, objects.items(), strict=True):
            assert (row["s3_key"], row["rows"]) == (key, len(content))
            assert row["last_seq"] - row["first_seq"] + 1 == len(content)
            assert row["stored_at"] is not None
            found |= {one["id"]: one for one in content}
    assert found.keys() == {str(row["id"]) for row in written}
    for row in written:
        assert found[str(row["id"])]["changes"]["after"]["n"] == row["changes"]["after"]["n"]
    (own,) = (await old.stored("audit-archive/global/")).values()
    assert len(own) == 7
    told = await old.sql(
        "SELECT 1 FROM docshard.audit_logs WHERE action = 'audit.archive'", of=fleet.global_db
    )
    assert len(told) == 6  # of each month that it left, and that it is gone

    assert (await archive(old)).done == 0
    assert await audit_doctor.examine(old.worker.data, 24) == []


async def test_the_archive_outlives_its_worker_at_every_step(old: OldFleet) -> None:
    """Each run is killed at the first step that none before it had come to."""
    for _ in range(2):
        await write_rows(old.shard, await old.workplace.fleet.tenant("shard-1"), OLD, 1_500)
    await old.ready()
    before = await old.seen()
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", killed_archive.__name__),
        env=lives.environment(old.workplace),
        stdout=subprocess.PIPE,
    )
    output, _ = await run.communicate()
    assert run.returncode == 0
    steps = output.decode().splitlines()
    kinds = [step.split()[-1].rstrip(":") for step in steps]
    assert kinds == [
        *("planned", "begun", "begun", "rows", "out", "detached"),
        *(["written", "recorded"] * 2),
        *("stored", "removed", "dropped"),
    ]
    assert await old.seen() == (0, 0)
    row = (await old.archives())[("shard-1", OLD)]
    assert (row["state"], row["rows"], row["objects"]) == ("dropped", before[0], 2)
    listed = await old.sql("SELECT * FROM docshard.audit_archives")
    for one in listed:
        told = await old.worker.data.tenants.read(one["client_id"], archives.months)
        assert told == {OLD}
    assert [len(await unpacked(old.worker.blobs, one["s3_key"])) for one in listed] == [1_500] * 2


async def test_what_does_not_fit_the_chain_stays_where_it_is(old: OldFleet) -> None:
    client_id = await old.workplace.fleet.tenant("shard-1")
    await write_rows(old.shard, client_id, OLD, 20)
    assert (await sweeps.make_partitions(old.worker)).failed == ()
    assert (await archive(old)).done == 0
    assert "not linked" in await problem(old)
    await old.link()

    async with old.shard.session() as intruder:
        await intruder.execute("SET session_replication_role = replica")
        await intruder.execute(
            "UPDATE docshard.audit_logs SET action = 'a.b' WHERE ctid IN"
            " (SELECT ctid FROM docshard.audit_logs LIMIT 1)"
        )
    assert (await archive(old)).done == 0
    assert "not what was written" in await problem(old)

    async with old.shard.session() as intruder:
        await intruder.execute("SET session_replication_role = replica")
        await intruder.execute(
            "UPDATE docshard.audit_logs SET content_hash = docshard.audit_content_hash(audit_logs)"
        )
    assert (await archive(old)).done == 0
    assert "does not fit link" in await problem(old)
    assert (await old.seen())[0] == 20


async def test_months_stay_while_a_move_is_under_way(old: OldFleet) -> None:
    global_db = old.workplace.fleet.global_db
    client_id, move = await old.workplace.fleet.tenant("shard-1"), new_id()
    await write_rows(old.shard, client_id, OLD, 20)
    await old.ready()
    await write_rows(old.shard, client_id, OLDER, 20)  # in DEFAULT
    await old.sql(MOVE, move, of=global_db)
    assert (await archive(old)).done == 0
    assert "a move of this shard" in await problem(old)
    assert (await sweeps.make_partitions(old.worker)).failed == ()
    assert len(await old.sql("SELECT 1 FROM docshard.audit_logs_default")) == 20

    await old.sql("UPDATE docshard.moves SET state = 'swept' WHERE id = %s", move, of=global_db)
    await old.ready()
    assert await old.sql("SELECT 1 FROM docshard.audit_logs_default") == []
    assert (await archive(old)).done == 2

    # And no move begins while partitions are changed.
    async with global_db.session() as holder, global_db.session() as mover:
        await holder.execute("SELECT pg_advisory_lock(7346, hashtext('partitions of shard-2'))")
        await mover.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await mover.execute(MOVE, [new_id()])


async def test_rows_that_come_after_their_month_was_archived_are_archived_too(
    old: OldFleet,
) -> None:
    client_id = await old.workplace.fleet.tenant("shard-1")
    for rows in (30, 4):
        await write_rows(old.shard, client_id, OLD, rows)
        await old.ready()
        assert (await archive(old)).done == 1
    objects = await old.stored(f"audit-archive/{client_id}/")
    assert sorted(len(rows) for rows in objects.values()) == [4, 30]


async def test_a_table_with_other_rows_is_not_dropped(old: OldFleet) -> None:
    await write_rows(old.shard, await old.workplace.fleet.tenant("shard-1"), OLD, 5)
    await old.ready()
    with pytest.raises(psycopg.Error, match="still attached"):
        await old.sql("SELECT docshard.drop_audit_month(%s, 5)", OLD)
    with pytest.raises(psycopg.Error, match="not over"):
        await old.sql("SELECT docshard.detach_audit_month(%s)", months_ago(0))
    await old.sql("SELECT docshard.detach_audit_month(%s)", OLD)
    with pytest.raises(psycopg.Error, match="other rows"):
        await old.sql("SELECT docshard.drop_audit_month(%s, 4)", OLD)
    # What is out of the log is out of everybody's reach.
    for role in ("docshard_app", "docshard_worker", "docshard_mover"):
        async with old.shard.session(role) as session:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await session.execute(f"TABLE docshard.audit_logs_{OLD:%Y_%m}".encode())
    findings = await audit_doctor.examine(old.worker.data, 24)
    assert any("has detached" in finding.what for finding in findings)


async def test_the_plan_is_what_a_run_does(old: OldFleet) -> None:
    await write_rows(old.shard, await old.workplace.fleet.tenant("shard-1"), OLD, 5)
    await old.ready()
    steps = archive_overview.steps(await archive_overview.look(old.worker.data, 24))
    assert len(steps) == 4
    assert all(step.startswith(f"shard-1 {OLD:%Y-%m}: ") for step in steps)
    await archive(old)
    assert archive_overview.steps(await archive_overview.look(old.worker.data, 24)) == []


async def test_clocks_go_on_for_fourteen_months(old: OldFleet) -> None:
    """The worker runs once a month; rows come all the time, and each month one leaves."""
    client_id = await old.workplace.fleet.tenant("shard-1")
    for ago in range(37, 23, -1):
        today = months_ago(ago)
        assert (await sweeps.make_partitions(old.worker, today)).failed == ()
        await write_rows(old.shard, client_id, today, 3)
        assert await old.sql("SELECT 1 FROM docshard.audit_logs_default") == []
    await old.link()
    for ahead in range(15):
        await archive(old, months_ago(13 - ahead))
        assert (await old.seen())[0] == 3 * (14 - ahead)
    assert len(await old.stored(f"audit-archive/{client_id}/")) == 14


@pytest.mark.parametrize("rows", [20_000, pytest.param(1_000_000, marks=pytest.mark.torture)])
async def test_a_big_month_goes_in_little_memory(old: OldFleet, rows: int) -> None:
    client_id = await old.workplace.fleet.tenant("shard-1")
    await write_rows(old.shard, client_id, OLD, rows)
    await old.ready()
    began = datetime.now(UTC)
    tracemalloc.start()
    assert (await archive(old)).done == 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    seconds = (datetime.now(UTC) - began).total_seconds()
    _log.info("%d rows in %.0f s, %.1f MiB at most", rows, seconds, peak / 1024**2)
    # A page of rows in both forms, a part of the upload and its copy: whatever the month holds.
    assert peak < 40 * 1024**2
