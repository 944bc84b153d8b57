"""`docshard backup drill` and `restore-client`, and what goes wrong with backups, on a real fleet.

A fleet of its own: its buckets are damaged in the end.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import Exit
from deploy.local.home import Home
from tests.acceptance.api import Tenant, connect, log_in, make_tenant
from tests.acceptance.backed import (
    await_archived,
    backed,
    buckets,
    into,
    make_documents,
    mover,
    wal_keys,
)
from tests.acceptance.fleet import LocalFleet, until
from tests.faults.writers import writing

__all__ = ["backed", "into"]

# Minutes of servers that are backed up, restored and damaged.
pytestmark = pytest.mark.torture


@pytest.fixture(scope="module")
def tenant(backed: LocalFleet) -> Any:
    """A client of the fleet."""
    with connect(backed, log_in(backed)) as admin:
        yield from make_tenant(backed, admin)


def point(fleet: LocalFleet, name: str) -> None:
    fleet.run("backup", "now", "--point", name, "--reason", "a trial")
    await_archived(fleet)


def port_of(fleet: LocalFleet) -> int:
    return Home(fleet.home).require().fleet.shards[0].primary.address.port


def rows(fleet: LocalFleet, tenant: Tenant) -> int:
    """What of the tenant lives: documents and audit rows."""
    with mover(fleet, port_of(fleet)) as connection:
        found = connection.execute(
            "SELECT (SELECT count(*) FROM docshard.documents WHERE client_id = %(client)s)"
            " + (SELECT count(*) FROM docshard.audit_logs WHERE client_id = %(client)s)",
            {"client": tenant.id},
        ).fetchone()
    assert found is not None
    return int(found[0])


def test_one_tenant_comes_back(backed: LocalFleet, tenant: Tenant, tmp_path: Path) -> None:
    kept, gone = tenant.make_document(), tenant.make_document()
    for document in (kept, gone):
        tenant.put(document, b"the old content")
    point(backed, "before")
    tenant.put(kept, b"a newer content")
    seen = {"If-Match": "*"}
    assert tenant.http.delete(tenant.path(gone), headers=seen).is_success
    assert tenant.http.post(f"{tenant.path(gone)}/purge").is_success

    command = ("backup", "restore-client", tenant.id, "--to", "before", "--reason", "a trial")
    assert "in one transaction" in backed.run(*command, "--put-back", "--dry-run").stdout
    told = json.loads(backed.run(*command, "-o", "json").stdout)
    assert told["documents"] == {"undelete": 0, "content": 1, "fields": 0}
    assert tenant.http.get(tenant.path(gone)).status_code == 404

    folder = tmp_path / "export"
    backed.run(*command, "--into", str(folder))
    checked = json.loads(backed.run("client", "verify", str(folder), "-o", "json").stdout)
    assert (checked["export"]["ok"], checked["export"]["blobs"]) == (True, 1)

    told = json.loads(backed.run(*command, "--put-back", "-o", "json").stdout)
    assert (told["put_back"]["rows"]["documents"], told["put_back"]["left"]) == (1, {})
    for document, version in ((kept, 3), (gone, 1)):
        back = tenant.http.get(tenant.path(document)).json()
        assert back["current_version"] == version
        content = tenant.http.get(f"{tenant.path(document)}/content?proxy=true")
        assert content.content == b"the old content"
    newer = tenant.http.get(f"{tenant.path(kept)}/versions/2/content?proxy=true")
    assert newer.content == b"a newer content"


def test_a_drill_measures_what_a_disaster_costs(backed: LocalFleet) -> None:
    """RPO and RTO within the goals, of a shard and of the global database."""
    for cluster in ("shard-1", "global"):
        drilled = ("backup", "drill", "--shard", cluster, "-o", "json")
        # Two minutes' rows behind the backup, and their WAL in the repository.
        until(partial(_planned, backed, drilled), 300, 5)
        told = json.loads(backed.run(*drilled, "--reason", "a trial").stdout)
        (one,) = told["drills"]
        assert (one["findings"], told["good"]) == ([], True)
        assert 0 < told["rpo_seconds"] <= 300
        assert 0 < told["rto_seconds"] <= 3600
        assert one["checked"]["canaries"] > 0
        assert one["checked"]["audit_rows"] > 0
    past = json.loads(backed.run("backup", "drill", "--history", "-o", "json").stdout)
    assert [one["cluster"] for one in past["drills"]] == ["global", "shard-1"]


def test_a_drill_of_a_busy_cluster(backed: LocalFleet, tenant: Tenant) -> None:
    """RPO and RTO within the goals while it is written to, before and meanwhile."""
    drilled = ("backup", "drill", "--shard", "shard-1", "-o", "json")
    with writing(tenant) as writers:
        until(partial(_planned, backed, drilled), 300, 5)
        told = json.loads(backed.run(*drilled, "--reason", "a trial under load").stdout)
    (one,) = told["drills"]
    assert (one["findings"], told["good"]) == ([], True)
    assert 0 < told["rpo_seconds"] <= 300
    assert 0 < told["rto_seconds"] <= 3600
    sys.stdout.write(
        f"busy, {sum(bool(one.document) for one in writers.tries)} documents made meanwhile: RPO "
        f"{told['rpo_seconds']:.0f} s, RTO {told['rto_seconds']:.0f} s\n"
    )


def test_a_drill_that_fails_leaves_others_theirs(backed: LocalFleet, into: Path) -> None:
    """Kept, shown, and told apart from what failed."""
    until(partial(_planned, backed, ("backup", "drill", "--shard", "global")), 300, 5)
    shards = [shard.name for shard in Home(backed.home).require().fleet.shards]
    for shard in shards:
        (into / shard).mkdir(parents=True)
        (into / shard / "somebody's").touch()
    drilled = ("backup", "drill", "--all", "--beside", str(into), "-o", "json")
    ended = backed.run(*drilled, check=False)
    assert ended.returncode == Exit.FAILED
    told = json.loads(ended.stdout)
    assert [one["cluster"] for one in told["drills"]] == ["global"]
    assert (sorted(told["failed"]), told["good"]) == (shards, False)
    assert f"error: {shards[0]}: the drill failed: {into / shards[0]} is not empty" in ended.stderr
    past = json.loads(backed.run("backup", "drill", "--history", "-o", "json").stdout)
    assert past["drills"][0]["id"] == told["drills"][0]["id"]


def _planned(fleet: LocalFleet, command: tuple[str, ...]) -> bool:
    return fleet.run(*command, "--dry-run", check=False).returncode == Exit.OK


def test_a_store_that_goes_away_in_a_backup_fails_it(backed: LocalFleet, tenant: Tenant) -> None:
    living = rows(backed, tenant)
    backup = subprocess.Popen(
        [
            *(sys.executable, "-m", "deploy.cli.main"),
            *("backup", "now", "--cluster", "shard-1", "--full"),
        ],
        env=backed.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(partial(_is_copied, backed), 120)
        backed.run("kill", "s3")
        told = backup.communicate(timeout=300)[1]
    finally:
        backup.kill()
        backed.run("start", "s3")
    assert backup.returncode == Exit.FAILED
    assert "pgBackRest's backup of shard-1 failed" in told
    assert "Nothing that lives was touched" in told
    assert rows(backed, tenant) == living
    # What is half there is no backup, and the next one works.
    backed.run("backup", "now", "--cluster", "shard-1")


def _is_copied(fleet: LocalFleet) -> bool:
    """Whether pgBackRest is connected to the server, as it is for the length of a backup."""
    with mover(fleet, port_of(fleet)) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'docshard_backup'"
        ).fetchone()
    return found is not None and found[0] > 0


def test_a_full_disk_ends_a_restore_with_its_name(
    backed: LocalFleet, tenant: Tenant, into: Path
) -> None:
    """There is room for the files, and none for the WAL."""
    make_documents(tenant, 1)
    with mover(backed, port_of(backed)) as connection:
        for _ in range(4):  # segments that have to be replayed
            connection.execute("SELECT pg_logical_emit_message(true, 'docshard', 'a trial')")
            point(backed, "full")
    living = rows(backed, tenant)
    listed = json.loads(backed.run("backup", "list", "-o", "json").stdout)["backups"]
    size = max(one["bytes"] for one in listed if one["cluster"] == "shard-1")
    into.mkdir()
    words = [sys.executable, "-m", "deploy.cli.main", "backup", "restore", "--to", "full"]
    command = shlex.join([*words, "--shard", "shard-1", "--into", str(into)])
    mount = f"mount -t tmpfs -o size={int(size * 1.15)},mode=0711 docshard {into}"
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "--",
            "sh",
            "-c",
            f"{mount} && {command}",
        ],
        env=backed.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == Exit.FAILED, done.stderr
    assert "is full" in done.stderr
    assert rows(backed, tenant) == living


def test_wal_that_was_changed_is_told(backed: LocalFleet, tenant: Tenant, into: Path) -> None:
    """A segment before the moment is not what was archived, in both repositories."""
    make_documents(tenant, 1)
    point(backed, "corrupted")
    living = rows(backed, tenant)
    for client, bucket in buckets(backed):
        key = wal_keys(client, bucket)[-1]
        content = bytearray(client.get_object(Bucket=bucket, Key=key)["Body"].read())
        content[len(content) // 2] ^= 0xFF
        client.put_object(Bucket=bucket, Key=key, Body=bytes(content))
    found = backed.run("backup", "verify", "--cluster", "shard-1", check=False)
    assert found.returncode == Exit.FINDINGS
    done = backed.run(
        *("backup", "restore", "--to", "corrupted", "--shard", "shard-1", "--into", str(into)),
        check=False,
    )
    assert done.returncode == Exit.FAILED
    assert "could not be recovered to that moment" in done.stderr
    assert "backup verify" in done.stderr
    assert rows(backed, tenant) == living
