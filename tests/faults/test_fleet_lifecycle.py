"""`docshard up` from nothing, again, and from what a crash left; `docshard down` leaves nothing."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest

from deploy.errors import Exit
from deploy.fleet.environment import parse_environment
from deploy.local import processes
from services.fleet.shards import set_draining
from services.resources import open_data
from services.settings import DatabaseRole, Settings
from tests.acceptance.api import connect, log_in
from tests.acceptance.fleet import LocalFleet, local_fleet, until


@pytest.fixture(scope="module")
def small() -> Iterator[LocalFleet]:
    """A fleet of one shard that these tests stop and start as they like."""
    with local_fleet(shards=1) as fleet:
        fleet.run("up", "--no-demo")
        yield fleet


@pytest.fixture(autouse=True)
def whole(small: LocalFleet) -> None:
    """Every test begins with a fleet that is up."""
    if not all_up(small):
        small.run("up", "--no-demo")
    assert all_up(small)


def all_up(fleet: LocalFleet) -> bool:
    return {part.condition for part in fleet.status().values()} == {"up"}


def pids(fleet: LocalFleet) -> dict[str, int | None]:
    return {name: part.pid for name, part in fleet.status().items()}


def serves(fleet: LocalFleet) -> bool:
    return httpx.get(f"{fleet.api}/readyz", timeout=5).status_code == 200


def knows(fleet: LocalFleet, shard: str) -> bool:
    """Whether the router has it; each answer may be another of its processes'."""
    answers = [httpx.get(f"{fleet.api}/readyz", timeout=5).json() for _ in range(8)]
    return all(shard in answer["shards"] for answer in answers)


def home_of_a_new_client(admin: httpx.Client) -> str:
    code = f"c-{uuid4().hex}"
    made = admin.post("/v1/clients", json={"code": code, "name": code})
    assert made.status_code == 201, made.text
    placement = admin.get(f"/v1/clients/{made.json()['id']}/placement")
    return str(placement.json()["shard"])


def test_a_second_up_is_quick_and_starts_nothing(small: LocalFleet) -> None:
    before = pids(small)
    begun = time.monotonic()
    done = small.run("up", "--no-demo")
    assert time.monotonic() - begun < 10
    assert "up already" in done.stderr
    assert pids(small) == before


def test_down_leaves_no_process_and_up_brings_all_back(small: LocalFleet) -> None:
    small.run("down")
    assert small.processes() == []
    assert {part.condition for part in small.status().values()} == {"down"}
    small.run("up", "--no-demo")
    assert serves(small)


@pytest.mark.parametrize("node", ["shard-1-primary", "shard-1-replica", "s3", "router", "worker"])
def test_a_killed_part_is_started_again_by_name(small: LocalFleet, node: str) -> None:
    others = {name: pid for name, pid in pids(small).items() if name != node}
    small.run("kill", node)
    assert small.status()[node].condition == "down"
    assert small.run("kill", node, check=False).returncode == Exit.NOT_FOUND
    small.run("start", node)
    after = pids(small)
    assert after.pop(node)
    assert after == others
    until(lambda: serves(small))


def test_a_paused_part_goes_on(small: LocalFleet) -> None:
    before = pids(small)
    small.run("pause", "shard-1-replica")
    assert small.status()["shard-1-replica"].condition == "paused"
    small.run("resume", "shard-1-replica")
    assert small.status()["shard-1-replica"].condition == "up"
    assert pids(small) == before


def test_up_heals_killed_paused_and_orphaned_parts_at_once(small: LocalFleet) -> None:
    small.run("pause", "global-replica")
    small.run("kill", "shard-1-primary")
    # A crash of the router's parent leaves its workers on the port.
    psutil.Process(small.status()["router"].pid).send_signal(signal.SIGKILL)
    (small.home / "run" / "worker.json").unlink()
    small.run("up", "--no-demo")
    assert all_up(small)
    workers = [p for p in small.processes() if p.environ()[processes.PART_MARK] == "worker"]
    assert len(workers) == 1
    assert serves(small)


def test_up_goes_on_where_an_interrupted_one_stopped(small: LocalFleet) -> None:
    """Data half copied, a slot without its replica, a pid file of another process."""
    small.run("down")
    data = Path(json.loads((small.home / "fleet.json").read_text())["data"])
    (data / "shard-1-replica").rename(data / "shard-1-replica.new")
    (data / "shard-1-replica.new" / "PG_VERSION").unlink()
    me = psutil.Process()
    stale = {"pid": me.pid, "created": me.create_time() - 1000, "fingerprint": ""}
    (small.home / "run" / "s3.json").write_text(json.dumps(stale))
    small.run("up", "--no-demo")
    assert small.status()["shard-1-replica"].role == "replica"
    assert me.is_running()
    assert serves(small)


def test_status_tells_programs_and_people_the_same(small: LocalFleet) -> None:
    told = json.loads(small.run("status", "-o", "json").stdout)
    assert told["schema_version"] == 1
    assert {node["name"]: node["pid"] for node in told["nodes"]} == pids(small)
    table = small.run("status").stdout
    assert all(name in table for name in pids(small))


def test_a_healthy_fleet_has_no_findings_and_a_hurt_one_has(small: LocalFleet) -> None:
    until(lambda: small.run("doctor", check=False).returncode == Exit.OK)
    small.run("kill", "shard-1-replica")
    done = small.run("doctor", "-o", "json", check=False)
    assert done.returncode == Exit.FINDINGS
    subjects = {finding["subject"] for finding in json.loads(done.stdout)["findings"]}
    assert "shard-1-replica" in subjects


def test_two_at_once_are_refused(small: LocalFleet) -> None:
    with (small.home / "lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        done = small.run("up", "--no-demo", check=False)
    assert done.returncode == Exit.REFUSED
    assert "Another docshard command" in done.stderr


def test_an_unknown_node_is_not_found_and_the_names_are_told(small: LocalFleet) -> None:
    done = small.run("kill", "shard-9-primary", check=False)
    assert done.returncode == Exit.NOT_FOUND
    assert "shard-1-primary" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_run_changes_nothing(small: LocalFleet) -> None:
    before = pids(small)
    small.run("kill", "s3", "--dry-run")
    small.run("down", "--dry-run")
    small.run("clean-data", "--dry-run")
    assert pids(small) == before


def test_secrets_are_for_the_owner_alone(small: LocalFleet) -> None:
    assert (small.home / "secrets").stat().st_mode & 0o077 == 0
    for path in (*(small.home / "secrets").iterdir(), small.home / "env"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_everything_listens_on_loopback_only(small: LocalFleet) -> None:
    found = [
        (connection.laddr.ip, process.name())
        for process in small.processes()
        for connection in process.net_connections(kind="inet")
    ]
    assert {ip for ip, _ in found} == {"127.0.0.1"}, found


def test_a_shard_joins_the_running_fleet_and_new_clients_land_there(small: LocalFleet) -> None:
    before = pids(small)
    done = small.run("shard", "add", "--reason", "more room", "-o", "json")
    added = json.loads(done.stdout)
    assert (added["shard"], added["status"]) == ("shard-2", "active")
    after = pids(small)
    assert before.items() <= after.items(), "somebody else was touched"
    assert {"shard-2-primary", "shard-2-replica"} <= after.keys()
    until(lambda: knows(small, "shard-2"))

    with connect(small, log_in(small)) as admin:
        homes = {home_of_a_new_client(admin) for _ in range(20)}
    assert homes == {"shard-1", "shard-2"}
    refused = small.run("shard", "remove", "shard-2", "--confirm", "shard-2", check=False)
    assert refused.returncode == Exit.REFUSED
    assert "shard-2 takes new clients" in refused.stderr
    assert re.search(r"shard-2 has \d+ clients", refused.stderr)
    assert "up already" in small.run("up", "--no-demo").stderr
    until(lambda: small.run("doctor", check=False).returncode == Exit.OK)


async def test_a_removed_shard_leaves_the_fleet_and_its_name_for_ever(
    small: LocalFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = json.loads(small.run("shard", "add", "-o", "json").stdout)["shard"]
    for name, value in parse_environment((small.home / "service.env").read_text()).items():
        monkeypatch.setenv(name, value)
    async with open_data(Settings(), DatabaseRole.ADMIN) as data:
        await set_draining(data, added, True, None)
    small.run("shard", "remove", added, "--confirm", added, "--reason", "too many")
    assert not any(name.startswith(added) for name in small.status())
    assert not any(f"/{added}-" in " ".join(one.cmdline()) for one in small.processes())
    small.run("up", "--no-demo")
    assert not any(name.startswith(added) for name in small.status())
    planned = small.run("shard", "add", "--dry-run").stdout
    assert f"shard-{int(added.removeprefix('shard-')) + 1}-primary" in planned
    until(lambda: not knows(small, added))


def test_a_fleet_whose_home_was_deleted_is_found_and_ended(small: LocalFleet) -> None:
    shutil.rmtree(small.home)
    small.run("down")
    assert small.processes() == []
