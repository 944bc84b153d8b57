"""A fleet of Debian's PostgreSQL that is backed up, and what tests ask of it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest

from deploy.fleet.environment import parse_environment
from deploy.local.engines import find_pgbackrest, server_user
from deploy.local.home import Home
from deploy.local.postgres import ENVIRONMENT
from deploy.local.processes import run_tool
from tests.acceptance.api import Tenant
from tests.acceptance.fleet import LocalFleet, local_fleet, until
from tests.lacking import lacking

PROGRAMS = Path("/usr/lib/postgresql/15/bin")


@contextmanager
def backed_fleet(*options: str, shards: int = 1) -> Iterator[LocalFleet]:
    """A fleet that is backed up; `options` of `docshard up` besides."""
    if find_pgbackrest() is None or not PROGRAMS.exists():
        lacking("pgBackRest or PostgreSQL 15 is not installed")
    with local_fleet(shards=shards) as fleet:
        fleet.environment["DOCSHARD_POSTGRES"] = str(PROGRAMS)
        fleet.run("up", "--no-demo", "--backups", *options)
        yield fleet


@pytest.fixture(scope="module")
def backed() -> Iterator[LocalFleet]:
    """One without Patroni."""
    with backed_fleet() as fleet:
        yield fleet


@pytest.fixture
def into() -> Iterator[Path]:
    """A folder for restores that the servers' user can get to, whatever other tests run."""
    folder = Path(tempfile.mkdtemp(prefix="docshard-"))
    folder.chmod(0o711)
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


def buckets(fleet: LocalFleet) -> list[tuple[Any, str]]:
    """Both buckets with backups, as their owner reaches them."""
    variables = variables_of(fleet)
    return [
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


def wal_keys(client: Any, bucket: str, cluster: str = "shard-1") -> list[str]:
    """Segments of a cluster's WAL in a bucket, oldest first."""
    prefix = f"docshard/archive/docshard-{cluster}/15-1/"
    listed = client.list_objects_v2(Bucket=bucket, Prefix=prefix)
    return sorted(one["Key"] for one in listed["Contents"] if one["Key"].endswith(".zst"))
