"""`docshard backup` on a fleet of Debian's PostgreSQL: what is lost comes back, to the second.

A fleet of its own: its servers' data is destroyed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import httpx
import psycopg
import pytest

from deploy.errors import Exit
from deploy.fleet.environment import parse_environment
from deploy.local.engines import find_pgbackrest, server_user
from deploy.local.home import Home
from deploy.local.postgres import ENVIRONMENT
from deploy.local.processes import run_tool
from tests.acceptance.api import Tenant, connect, log_in, make_tenant
from tests.acceptance.fleet import LocalFleet, local_fleet, until
from tests.lacking import lacking

# Two minutes of servers that are made, backed up, destroyed and restored.
pytestmark = pytest.mark.torture

PROGRAMS = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture(scope="module")
def backed() -> Iterator[LocalFleet]:
    """A fleet of one shard that is backed up."""
    if find_pgbackrest() is None or not PROGRAMS.exists():
        lacking("pgBackRest or PostgreSQL 15 is not installed")
    with local_fleet(shards=1) as fleet:
        fleet.environment["DOCSHARD_POSTGRES"] = str(PROGRAMS)
        fleet.run("up", "--no-demo", "--backups")
        yield fleet


@pytest.fixture
def into(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for restores that the servers' user can get to."""
    folder = tmp_path_factory.mktemp("restored")
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.geteuid():
            parent.chmod(parent.stat().st_mode | 0o711)
    yield folder / "beside"
    shutil.rmtree(folder)


def data_of(fleet: LocalFleet) -> Path:
    return Home(fleet.home).require().data


def variables_of(fleet: LocalFleet) -> dict[str, str]:
    return parse_environment((fleet.home / "service.env").read_text())


def mover(fleet: LocalFleet, port: int) -> psycopg.Connection[Any]:
    password = variables_of(fleet)["DOCSHARD_MOVER_PASSWORD"]
    return psycopg.connect(
        host="127.0.0.1",
        port=port,
        dbname="docshard",
        user="docshard_mover",
        password=password,
        autocommit=True,
    )


def make_documents(tenant: Tenant, number: int) -> set[str]:
    body = {"original_name": "a.txt", "mime_type": "text/plain"}
    made = [tenant.http.post(tenant.documents, json=body) for _ in range(number)]
    assert all(one.is_success for one in made)
    return {one.json()["id"] for one in made}


def await_archived(fleet: LocalFleet) -> None:
    """Until all WAL before now is in the repositories."""
    port = Home(fleet.home).require().fleet.shards[0].primary.address.port
    with mover(fleet, port) as connection:
        position = connection.execute("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
        ((segment,),) = position.fetchall()
        # The point ended a segment: all before the present one is to be there.
        until(
            lambda: (
                connection.execute(
                    "SELECT coalesce(last_archived_wal >= %s, false) FROM pg_stat_archiver",
                    [f"{segment[:8]}{int(segment[8:], 16) - 1:016X}"],
                ).fetchone()
                == (True,)
            ),
            60,
        )


@contextmanager
def started(fleet: LocalFleet, data: Path, port: int) -> Iterator[psycopg.Connection[Any]]:
    """The restored server, as an operator starts it."""
    pg_ctl = [str(PROGRAMS / "pg_ctl"), "-D", str(data), "-l", str(data / "again.log"), "-w"]
    run_tool([*pg_ctl, "start"], server_user(), ENVIRONMENT)
    try:
        with mover(fleet, port) as connection:
            yield connection
    finally:
        run_tool([*pg_ctl, "-m", "fast", "stop"], server_user(), ENVIRONMENT)


def test_a_destroyed_shard_is_restored_to_a_moment(backed: LocalFleet, into: Path) -> None:
    with connect(backed, log_in(backed)) as admin:
        tenant = next(tenants := make_tenant(backed, admin))
        before = make_documents(tenant, 3)
        moment = datetime.now(UTC)
        make_documents(tenant, 3)
        tenants.close()
    backed.run("backup", "now", "--point", "after", "--reason", "a trial")
    await_archived(backed)
    for node in ("shard-1-primary", "shard-1-replica"):
        backed.run("kill", node)
        shutil.rmtree(data_of(backed) / node)
    command = ("backup", "restore", "--to", moment.isoformat(), "--shard", "shard-1", "-o", "json")
    told = json.loads(backed.run(*command, "--into", str(into)).stdout)
    (cluster,) = told["clusters"]
    assert (told["served"], told["refused"]) == (1, [])
    with started(backed, Path(cluster["data"]), cluster["port"]) as connection:
        rows = connection.execute("SELECT id::text FROM docshard.documents").fetchall()
        assert {row[0] for row in rows} == before
        archiving = connection.execute(
            "SELECT current_setting('archive_mode'),"
            " current_setting('max_logical_replication_workers')"
        ).fetchone()
        assert archiving == ("off", "0")
    again = backed.run(*command, "--into", str(into), check=False)
    assert again.returncode == Exit.REFUSED
    assert "not empty" in again.stderr


def test_who_has_another_key_reads_nothing(backed: LocalFleet, into: Path) -> None:
    secrets = data_of(backed) / "pgbackrest" / "secrets" / "repositories.conf"
    text = secrets.read_text()
    try:
        lines = [
            line[:-6] + "abcdef" if "cipher-pass" in line else line for line in text.splitlines()
        ]
        secrets.write_text("\n".join(lines) + "\n")
        command = ("backup", "restore", "--to", "latest", "--shard", "shard-1", "--into", str(into))
        done = backed.run(*command, check=False)
    finally:
        secrets.write_text(text)
    assert done.returncode == Exit.FAILED
    assert "No repository of shard-1 can be read" in done.stderr
    assert "pass phrases" in done.stderr
    assert not into.exists()


def test_wal_that_is_missing_is_told(backed: LocalFleet, into: Path) -> None:
    """The moment lies behind a segment that both repositories have lost."""
    with buckets(backed) as clients:
        lost = [
            (client, bucket, key)
            for client, bucket in clients
            for key in wal_keys(client, bucket)[-1:]
        ]
        for client, bucket, key in lost:
            client.delete_object(Bucket=bucket, Key=key)
    point = ("--to", "after", "--shard", "shard-1", "--into", str(into))
    done = backed.run("backup", "restore", *point, check=False)
    assert done.returncode == Exit.FAILED
    assert "recovery ended before configured recovery target" in done.stderr
    assert "backup verify" in done.stderr


@contextmanager
def buckets(fleet: LocalFleet) -> Iterator[list[tuple[Any, str]]]:
    """Both buckets with backups, as their owner reaches them."""
    variables = variables_of(fleet)
    yield [
        (
            boto3.client(
                "s3",
                endpoint_url=one["endpoint"],
                region_name=one["region"],
                aws_access_key_id=variables["DOCSHARD_BACKUP_ACCESS_KEY"],
                aws_secret_access_key=variables["DOCSHARD_BACKUP_SECRET_KEY"],
            ),
            one["bucket"],
        )
        for one in json.loads(variables["DOCSHARD_BACKUP_BUCKETS"])
    ]


def wal_keys(client: Any, bucket: str) -> list[str]:
    listed = client.list_objects_v2(Bucket=bucket, Prefix="docshard/archive/docshard-shard-1/15-1/")
    return sorted(one["Key"] for one in listed["Contents"] if one["Key"].endswith(".zst"))


def test_a_store_that_is_away_fails_a_backup_and_nothing_else(backed: LocalFleet) -> None:
    backed.run("kill", "s3")
    try:
        done = backed.run("backup", "now", "--cluster", "global", check=False)
        assert done.returncode == Exit.FAILED
        assert "Nothing that lives was touched" in done.stderr
        assert httpx.get(f"{backed.api}/livez", timeout=5).status_code < 500
    finally:
        backed.run("start", "s3")
    backed.run("backup", "now", "--cluster", "global")
