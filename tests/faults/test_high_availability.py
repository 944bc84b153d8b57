"""A fleet under Patroni loses no acknowledged write and finds a new primary by itself (I1, I10)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from deploy.errors import Exit
from tests.acceptance.api import Tenant, connect, log_in
from tests.acceptance.fleet import LocalFleet, local_fleet
from tests.faults.highly_available import RETURN_SECONDS, Shard
from tests.faults.writers import tenant_on, writing


@pytest.fixture(scope="module")
def available() -> Iterator[LocalFleet]:
    """One shard that fails over by itself; the tests hurt it and wait until it is whole."""
    with local_fleet(shards=1) as fleet:
        fleet.run("up", "--ha", "--no-demo")
        yield fleet


@pytest.fixture(scope="module")
def shard(available: LocalFleet) -> Shard:
    return Shard(available, "shard-1")


@pytest.fixture(scope="module")
def tenant(available: LocalFleet) -> Iterator[Tenant]:
    with tenant_on(available, "shard-1") as made:
        yield made


def test_a_planned_change_is_awaited_audited_and_loses_nothing(
    available: LocalFleet, shard: Shard, tenant: Tenant
) -> None:
    shard.await_whole()
    before, after = shard.primary().name, "shard-1-replica"
    assert before == "shard-1-primary"
    dry = available.run("shard", "switchover", "shard-1", "--dry-run")
    assert after in dry.stdout
    assert shard.primary().name == before
    with writing(tenant) as writers:
        done = available.run(
            *("shard", "switchover", "shard-1", "--to", after, "--reason", "a drill", "-o", "json")
        )
        switched = json.loads(done.stdout)["switchover"]
        assert switched == {
            **{"shard": "shard-1", "before": before, "primary": after},
            "seconds": switched["seconds"],
        }
        writers.await_served(RETURN_SECONDS)
    writers.assert_nothing_lost()
    assert shard.primary().name == after
    [row] = global_audit(available, "shard.switchover")
    assert row["changes"] == {"before": {"primary": before}, "after": {"primary": after}}
    assert row["reason"] == "a drill"
    again = available.run("shard", "switchover", "shard-1", "--to", after, check=False)
    assert again.returncode == Exit.REFUSED


def test_a_dead_postmaster_is_replaced_and_comes_back_as_a_replica(
    shard: Shard, tenant: Tenant, tell: Callable[[str], None]
) -> None:
    shard.await_whole()
    before = shard.primary().name
    with writing(tenant) as writers:
        begun = writers.tries[-1].ended
        shard.kill_postmaster()
        writers.await_served(RETURN_SECONDS)
    tell(f"the postmaster died: {writers.outage(begun).seconds:.1f} s without a write")
    writers.assert_nothing_lost()
    assert shard.primary().name != before
    shard.await_whole()
    assert shard.fleet.status()[before].role == "replica"
    writers.assert_nothing_lost()


def test_patroni_keeps_its_hands_off_the_slots_of_moves(shard: Shard) -> None:
    with shard.connect() as primary:
        primary.execute("SELECT pg_create_logical_replication_slot('a_move', 'pgoutput')")
        shard.await_loops(2)
        assert primary.execute(
            "SELECT active FROM pg_replication_slots WHERE slot_name = 'a_move'"
        ).fetchone() == (False,)
        primary.execute("SELECT pg_drop_replication_slot('a_move')")


def test_nobody_changes_anything_without_the_password(shard: Shard) -> None:
    api = f"http://{shard.primary().api.text}"
    for path in ("switchover", "restart", "reinitialize", "config"):
        send = httpx.patch if path == "config" else httpx.post
        assert send(f"{api}/{path}", json={}).status_code == httpx.codes.UNAUTHORIZED


def test_down_leaves_no_process_and_the_home_remembers(available: LocalFleet) -> None:
    available.run("down")
    assert available.processes() == []
    state = json.loads((available.home / "fleet.json").read_text())
    assert [member["name"] for member in state["fleet"]["etcd"]] == ["etcd"]
    assert {part.condition for part in available.status().values()} == {"down"}


def global_audit(fleet: LocalFleet, action: str) -> list[dict[str, Any]]:
    with connect(fleet, log_in(fleet)) as admin:
        answer = admin.get("/v1/audit-logs", params={"action": action})
    assert answer.status_code == httpx.codes.OK, answer.text
    rows: list[dict[str, Any]] = answer.json()["items"]
    return rows
