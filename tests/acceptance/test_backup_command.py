"""`docshard backup` on a fleet of Debian's PostgreSQL: what is lost comes back, to the second.

A fleet of its own: its servers' data is destroyed.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from deploy.errors import Exit
from tests.acceptance.api import connect, log_in, make_tenant
from tests.acceptance.backed import (
    await_archived,
    backed,
    buckets,
    data_of,
    into,
    make_documents,
    started,
    wal_keys,
)
from tests.acceptance.fleet import LocalFleet

__all__ = ["backed", "into"]

# Two minutes of servers that are made, backed up, destroyed and restored.
pytestmark = pytest.mark.torture


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
    for client, bucket in buckets(backed):
        client.delete_object(Bucket=bucket, Key=wal_keys(client, bucket)[-1])
    point = ("--to", "after", "--shard", "shard-1", "--into", str(into))
    done = backed.run("backup", "restore", *point, check=False)
    assert done.returncode == Exit.FAILED
    assert "recovery ended before configured recovery target" in done.stderr
    assert "backup verify" in done.stderr


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
