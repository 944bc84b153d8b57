"""A fleet under Patroni loses no acknowledged write and has its primary back within seconds (I1, I10)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from deploy.errors import Exit
from tests.acceptance.api import Tenant, connect, log_in
from tests.acceptance.fleet import LocalFleet, local_fleet, until
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


@pytest.fixture(autouse=True)
def whole(shard: Shard) -> None:
    """Every test begins with a primary and a replica that lacks nothing."""
    shard.await_whole()


def test_a_dead_postmaster_is_replaced_and_comes_back_as_a_replica(
    shard: Shard, tenant: Tenant, record_property: pytest.RecordProperty
) -> None:
    before = shard.primary().name
    with writing(tenant) as writers:
        killed = shard.kill_postmaster()
        seconds = writers.back_after(killed, RETURN_SECONDS)
    record_property("writes_back_seconds", round(seconds, 2))
    print(f"writes back {seconds:.1f} s after the postmaster's death")
    writers.assert_nothing_lost()
    assert shard.primary().name != before
    until(lambda: shard.fleet.status()[before].role == "replica", RETURN_SECONDS)
    shard.await_whole()
    writers.assert_nothing_lost()
