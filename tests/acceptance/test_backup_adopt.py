"""`docshard backup adopt`: what was lost serves again, from its backups, with or without Patroni.

Fleets of their own: their servers' data is destroyed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.errors import Exit
from deploy.local.home import Home
from tests.acceptance.api import Tenant, connect, log_in, make_tenant
from tests.acceptance.backed import await_archived, backed_fleet, data_of, into, make_documents
from tests.acceptance.fleet import LocalFleet, until

__all__ = ["into"]

# Minutes of servers that are made, backed up, destroyed, restored and put into use.
pytestmark = pytest.mark.torture

_NODES = ("shard-1-primary", "shard-1-replica")


@pytest.fixture(scope="module", params=["alone", "patroni"])
def fleet(request: pytest.FixtureRequest) -> Iterator[LocalFleet]:
    """One that is backed up; with Patroni its configuration is what `render patroni` writes."""
    with backed_fleet(*(["--ha"] if request.param == "patroni" else [])) as made:
        yield made


@pytest.fixture(scope="module")
def admin(fleet: LocalFleet) -> Iterator[httpx.Client]:
    with connect(fleet, log_in(fleet)) as http:
        yield http


@pytest.fixture(scope="module")
def tenant(fleet: LocalFleet, admin: httpx.Client) -> Iterator[Tenant]:
    yield from make_tenant(fleet, admin)


def documents(tenant: Tenant) -> set[str]:
    """Ids of the tenant's documents, once it is served."""
    answers: list[httpx.Response] = []

    def served() -> bool:
        answers[:] = [tenant.http.get(tenant.documents, params={"limit": 200})]
        return answers[0].is_success

    until(served, 60)
    return {one["id"] for one in answers[0].json()["items"]}


def settled(fleet: LocalFleet, name: str) -> None:
    """A restore point, with all before it in the repositories."""
    fleet.run("backup", "now", "--point", name, "--reason", "a trial")
    await_archived(fleet)


def restore(fleet: LocalFleet, to: str, folder: Path, *what: str) -> dict[str, Any]:
    done = fleet.run(
        *("backup", "restore", "--to", to, *what, "--into", str(folder), "-o", "json"), check=False
    )
    assert done.returncode in (Exit.OK, Exit.FINDINGS), done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def destroy(fleet: LocalFleet, nodes: tuple[str, ...]) -> None:
    for node in nodes:
        fleet.run("kill", node)
        shutil.rmtree(data_of(fleet) / node)


def test_a_destroyed_shard_serves_again(fleet: LocalFleet, tenant: Tenant, into: Path) -> None:
    """I1 up to the last segment, I3: and its next backup restores what was written since."""
    before = make_documents(tenant, 3)
    settled(fleet, "before")
    assert restore(fleet, "latest", into, "--shard", "shard-1")["served"] == 1
    # While it lives nobody takes its place; at other addresses the local fleet stops nothing.
    port = Home(fleet.home).require().fleet.shards[0].primary.address.port
    command = ("backup", "adopt", str(into), "--confirm", "shard-1")
    refused = fleet.run(*command, "--node", f"restored=127.0.0.1:{port}", check=False)
    assert refused.returncode == Exit.REFUSED
    assert "still answers" in refused.stderr
    assert fleet.run(*command, "--dry-run").stdout.count("\n") >= 5
    assert documents(tenant) == before

    destroy(fleet, _NODES)
    told = json.loads(fleet.run(*command, "--reason", "a fire", "-o", "json").stdout)
    (shard,) = told["shards"]
    assert (shard["served"], shard["left_closed"]) == (1, 0)
    assert documents(tenant) == before
    after = make_documents(tenant, 2)
    until(lambda: {fleet.status()[node].condition for node in _NODES} == {"up"}, 60)
    roles = sorted(fleet.status()[node].role for node in _NODES)
    assert roles == ["primary", "replica"]

    settled(fleet, "after")
    listed = json.loads(fleet.run("backup", "list", "-o", "json").stdout)["backups"]
    newest = max((one for one in listed if one["cluster"] == "shard-1"), key=lambda b: b["label"])
    # Two beyond what the last restore point saw of the lost cluster; Patroni promotes once more.
    assert (newest["type"], newest["timeline"] >= 3) == ("full", True)
    told = restore(fleet, "after", into.parent / "again", "--shard", "shard-1")
    assert (told["served"], told["clusters"][0]["backup"]) == (1, newest["label"])
    assert documents(tenant) == before | after


def test_a_restored_fleet_forgets_again_whom_it_forgot(
    fleet: LocalFleet, admin: httpx.Client, tenant: Tenant, into: Path
) -> None:
    """All clusters at a point from before an erasure: the certificate outlives the directory."""
    kept = documents(tenant)
    body = {"code": "leaves", "name": "Leaves"}
    erased = admin.post("/v1/clients", json=body).json()["id"]
    settled(fleet, "with-both")
    assert admin.delete(f"/v1/clients/{erased}").is_success
    erasing = fleet.run(
        *("client", "erase", erased, "--confirm", erased, "--reason", "asked"), check=False
    )
    # All is removed; the certificate waits until no address to upload to is good any more.
    assert erasing.returncode == Exit.FINDINGS
    told = fleet.run("backup", "restore-client", erased, "--to", "with-both", check=False)
    assert (told.returncode, "forgotten" in told.stderr) == (Exit.REFUSED, True)

    report = restore(fleet, "with-both", into, "--all")
    assert [one["why"] for one in report["refused"]] == ["it was erased"]
    every = tuple(
        node.name for one in Home(fleet.home).require().fleet.clusters for node in one.nodes
    )
    destroy(fleet, every)
    told_again = fleet.run(
        *("backup", "adopt", str(into), "--confirm", "all", "--reason", "a flood", "-o", "json")
    )
    assert json.loads(told_again.stdout)["adopted"] == ["global", "shard-1"]
    assert documents(tenant) == kept
    make_documents(tenant, 1)
    with connect(fleet, log_in(fleet)) as http:
        assert http.get(f"/v1/clients/{erased}").status_code == 404
    back = fleet.run("client", "restore", erased, "--reason", "a trial", check=False)
    assert back.returncode != Exit.OK


def test_a_fleet_without_backups_runs_no_second_store(fleet: LocalFleet, tenant: Tenant) -> None:
    """Last: its backups end."""
    assert fleet.status()["s3-far"].condition == "up"
    fleet.run("up", "--no-demo", "--no-backups")
    assert "s3-far" not in fleet.status()
    assert not [one for one in fleet.processes() if "s3-far" in " ".join(one.cmdline())]
    documents(tenant)
