"""Long rounds on a fleet under Patroni; their figures stand in docs/high-availability.md."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from deploy.fleet.patroni import TTL
from tests.acceptance.api import Tenant
from tests.acceptance.fleet import LocalFleet, local_fleet, until
from tests.faults.highly_available import RETURN_SECONDS, Shard
from tests.faults.writers import Outage, Writers, tenant_on, writing

pytestmark = pytest.mark.torture

ROUNDS = 20
CALM_WRITES = 60
PATIENCE_SECONDS = 90.0


@pytest.fixture(scope="module")
def available() -> Iterator[LocalFleet]:
    with local_fleet(shards=2) as fleet:
        fleet.run("up", "--ha", "--no-demo")
        yield fleet


@pytest.fixture(scope="module")
def tenants(available: LocalFleet) -> Iterator[tuple[Tenant, Tenant]]:
    """One on the shard that is struck, one on the other."""
    with ExitStack() as stack:
        struck, spared = (
            stack.enter_context(tenant_on(available, name)) for name in ("shard-1", "shard-2")
        )
        yield struck, spared


def hand_over(shard: Shard, _: int) -> None:
    shard.fleet.run("shard", "switchover", shard.name)


def kill_postmaster(shard: Shard, _: int) -> None:
    shard.kill_postmaster()


def lose_host(shard: Shard, number: int) -> None:
    """The server and its Patroni, dead and frozen by turns."""
    primary = shard.primary()
    if number % 2:
        primary.pause()
    else:
        primary.kill()


@pytest.mark.parametrize(
    ("strike", "bound"),
    [(hand_over, 5.0), (kill_postmaster, 5.0), (lose_host, TTL + 5.0)],
    ids=["switchover", "postmaster", "host"],
)
def test_rounds(
    available: LocalFleet,
    tenants: tuple[Tenant, Tenant],
    strike: Callable[[Shard, int], None],
    bound: float,
    tell: Callable[[str], None],
) -> None:
    """Nothing is lost in any round, and the other shard does not notice.

    The bound is for a machine with time to spare: half of the rounds must keep it on a busy one.
    """
    shard, figures = Shard(available, "shard-1"), Figures()
    for number in range(ROUNDS):
        shard.await_whole()
        before = shard.primary()
        with writing(tenants[0]) as struck, writing(tenants[1], threads=1) as spared:
            spared.await_tries(CALM_WRITES)
            begun = struck.tries[-1].ended
            strike(shard, number)
            struck.await_served(PATIENCE_SECONDS)
        figures.add(struck.outage(begun), spared)
        # A living one is left alone, a frozen one goes on.
        before.start()
        shard.await_whole()
        struck.assert_nothing_lost()
        spared.assert_nothing_lost()
        assert all(one.document for one in spared.tries)
        tell(f"round {number + 1}: {figures.outages[-1]:.1f} s without a write")
    tell(figures.text())
    assert statistics.median(figures.outages) < bound
    assert p99(figures.troubled) < 3 * p99(figures.calm)


@dataclass
class Figures:
    """Seconds without a write; seconds that writes on the other shard took before and during."""

    outages: list[float] = field(default_factory=list)
    calm: list[float] = field(default_factory=list)
    troubled: list[float] = field(default_factory=list)

    def add(self, outage: Outage, spared: Writers) -> None:
        self.outages.append(outage.seconds)
        self.calm += spared.seconds(until=outage.begun)
        self.troubled += spared.seconds(since=outage.begun, until=outage.ended)

    def text(self) -> str:
        return (
            f"{len(self.outages)} rounds: {statistics.median(self.outages):.1f} s in the median, "
            f"{max(self.outages):.1f} s at most; p99 of the other shard "
            f"{p99(self.calm) * 1000:.0f} ms before and {p99(self.troubled) * 1000:.0f} ms during "
            f"({len(self.calm)} and {len(self.troubled)} writes)"
        )


def p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98]


def test_an_outage_of_etcd_stops_no_writes(
    available: LocalFleet, tenants: tuple[Tenant, Tenant]
) -> None:
    shard = Shard(available, "shard-1")
    shard.await_whole()
    leader = shard.primary().name
    available.run("kill", "etcd")
    try:
        with writing(tenants[0]) as writers:
            until(lambda: shard.told("failsafe_mode_is_active"), RETURN_SECONDS, 0.3)
            writers.await_served(RETURN_SECONDS)
        assert all(one.document for one in writers.tries)
    finally:
        available.run("start", "etcd")
    until(lambda: not shard.told("failsafe_mode_is_active"), RETURN_SECONDS, 0.3)
    assert shard.primary().name == leader


def test_a_home_without_patroni_is_put_under_it_and_stays_there() -> None:
    with local_fleet(shards=1) as fleet:
        fleet.run("up", "--no-demo")
        with tenant_on(fleet, "shard-1") as tenant:
            with writing(tenant) as writers:
                pass
            fleet.run("up", "--ha", "--no-demo")
            Shard(fleet, "shard-1").await_whole()
            writers.assert_nothing_lost()
            fleet.run("down")
            fleet.run("up", "--no-demo")
            Shard(fleet, "shard-1").await_whole()
            writers.assert_nothing_lost()
