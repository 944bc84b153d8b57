"""A shard joins a fleet under Patroni, fails over as the others do, and leaves nothing in etcd."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from deploy.errors import Exit
from tests.acceptance.api import connect, log_in
from tests.acceptance.fleet import LocalFleet, local_fleet, until
from tests.faults.highly_available import Shard, keys_in_etcd
from tests.faults.writers import tenant_on, writing

pytestmark = pytest.mark.torture

CLIENTS = 6


@pytest.fixture(scope="module")
def available() -> Iterator[LocalFleet]:
    with local_fleet(shards=1) as fleet:
        fleet.run("up", "--ha", "--no-demo")
        yield fleet


def homes(fleet: LocalFleet) -> dict[str, str]:
    listed = json.loads(fleet.run("client", "list", "-o", "json").stdout)["clients"]
    return {one["id"]: one["shard"] for one in listed}


def test_a_shard_joins_serves_and_leaves_a_fleet_under_patroni(available: LocalFleet) -> None:
    """I1: what was acknowledged on the new shard outlives a change of its primary."""
    with connect(available, log_in(available)) as admin:
        for number in range(CLIENTS):
            made = admin.post("/v1/clients", json={"code": f"c-{number}", "name": "a client"})
            made.raise_for_status()
    assert set(homes(available).values()) == {"shard-1"}

    added = json.loads(available.run("shard", "add", "-o", "json").stdout)
    assert (added["shard"], added["status"]) == ("shard-2", "active")
    newcomer = Shard(available, "shard-2")
    newcomer.await_whole()
    assert "up already" in available.run("up", "--no-demo").stderr

    available.run("rebalance", "start", "--grace", "0", "--wait")
    assert set(homes(available).values()) == {"shard-1", "shard-2"}
    with tenant_on(available, "shard-2") as tenant:
        with writing(tenant) as writers:
            available.run("shard", "switchover", "shard-2")
            writers.await_served(60)
        writers.assert_nothing_lost()
        assert newcomer.primary().name == "shard-2-replica"
        newcomer.await_whole()

        available.run("shard", "drain", "shard-2", "--grace", "0", "--wait")
        assert set(homes(available).values()) == {"shard-1"}
        writers.assert_nothing_lost()
    available.run("shard", "remove", "shard-2", "--confirm", "shard-2")
    assert {key.split("/")[2] for key in keys_in_etcd(available)} == {"global", "shard-1"}
    assert not any(name.startswith("shard-2") for name in available.status())
    assert "up already" in available.run("up", "--no-demo").stderr
    until(lambda: available.run("doctor", check=False).returncode == Exit.OK)
