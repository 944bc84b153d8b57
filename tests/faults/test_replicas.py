"""Nothing acknowledged is lost (I1), nothing done twice (I2), nobody reads stale with a token, and
everything heals by itself (I10), whatever happens to a shard's servers and the ways to them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.callers import Crowd, crowd_of
from tests.integration.databases import Fleet
from tests.integration.pair import Pair, Way, paired_fleet
from tests.integration.postgres import Site
from tests.integration.wire import Wire

pytestmark = pytest.mark.versions

Fault = Callable[[Pair], Awaitable[None]]
_STRIKE_SECONDS = 0.5
_TORTURE_ROUNDS = 20


async def _off(function: Callable[[], None]) -> None:
    """Run what waits for processes beside the callers, who share our event loop."""
    await asyncio.to_thread(function)


async def kill_and_promote(pair: Pair) -> None:
    await _off(pair.primary.kill)
    await _off(pair.replica.promote)
    await asyncio.sleep(_STRIKE_SECONDS)
    # It comes back and takes itself for the primary still.
    await _off(pair.primary.start)


async def freeze_and_promote(pair: Pair) -> None:
    await _off(pair.primary.freeze)
    await _off(pair.replica.promote)
    await asyncio.sleep(_STRIKE_SECONDS)
    await _off(pair.primary.thaw)


async def switch_over(pair: Pair) -> None:
    await _off(pair.primary.stop)
    await _off(pair.replica.promote)
    pair.primary.follow(pair.replica)
    await _off(pair.primary.start)


async def kill_and_start(pair: Pair) -> None:
    await _off(pair.primary.kill)
    await asyncio.sleep(_STRIKE_SECONDS)
    await _off(pair.primary.start)


async def freeze_primary(pair: Pair) -> None:
    await _off(pair.primary.freeze)
    await asyncio.sleep(_STRIKE_SECONDS)
    await _off(pair.primary.thaw)


async def freeze_replica(pair: Pair) -> None:
    await _off(pair.replica.freeze)
    await asyncio.sleep(_STRIKE_SECONDS)
    await _off(pair.replica.thaw)


async def kill_replica(pair: Pair) -> None:
    await _off(pair.replica.kill)
    await asyncio.sleep(_STRIKE_SECONDS)
    await _off(pair.replica.start)


async def let_replica_lag(pair: Pair, seconds: float = 1.0) -> None:
    await _off(pair.replica.pause_replay)
    await asyncio.sleep(seconds)
    await _off(pair.replica.resume_replay)


async def let_replica_lag_long(pair: Pair) -> None:
    await let_replica_lag(pair, 10)


def on_wire(number: int, strike: Callable[[Wire], None]) -> Fault:
    async def fault(pair: Pair) -> None:
        wire = pair.wires[number]
        strike(wire)
        await asyncio.sleep(_STRIKE_SECONDS)
        wire.release()
        wire.mend()

    return fault


NETWORK: dict[str, Callable[[Wire], None]] = {
    "blackhole": Wire.swallow,
    "one-way": Wire.mute,
    "reset": Wire.cut,
    "half-open": Wire.half_open,
    "slow": lambda wire: wire.slow(0.1),
}
PASSING: dict[str, Fault] = {
    "kill primary": kill_and_start,
    "freeze primary": freeze_primary,
    "freeze replica": freeze_replica,
    "kill replica": kill_replica,
    "replica lags": let_replica_lag,
    **{
        f"{name} {who}": on_wire(number, strike)
        for name, strike in NETWORK.items()
        for number, who in enumerate(("primary", "replica"))
    },
}
# One of each kind; the long rounds hurt both servers' ways with each.
SHORT = (
    *("kill primary", "freeze primary", "freeze replica", "replica lags", "blackhole primary"),
    *("one-way replica", "reset primary", "half-open primary", "slow replica"),
)
FAILOVERS: dict[str, Fault] = {
    "kill and promote": kill_and_promote,
    "freeze and promote": freeze_and_promote,
    "switchover": switch_over,
}


@dataclass(frozen=True)
class Place:
    """Where pairs are made, and the fleet that they belong to."""

    site: Site
    template: Path
    fleet: Fleet
    folder: Path

    @asynccontextmanager
    async def hurt(self, way: Way | None = None) -> AsyncIterator[tuple[Pair, Crowd]]:
        """A pair to hurt, and callers of it."""
        async with (
            paired_fleet(self.site, self.template, self.fleet, way) as (paired, pair),
            crowd_of(paired, self.folder) as crowd,
        ):
            yield pair, crowd


@pytest.fixture
def place(postgres_site: Site, pair_template: Path, own_fleet: Fleet, tmp_path: Path) -> Place:
    return Place(postgres_site, pair_template, own_fleet, tmp_path)


async def rounds(pair: Pair, crowd: Crowd, fault: Fault) -> None:
    """Callers before, during and after the fault, until every worker serves again."""
    async with crowd.at_work():
        await asyncio.sleep(_STRIKE_SECONDS)
        await fault(pair)
        await crowd.until_whole()
        await asyncio.sleep(_STRIKE_SECONDS)


async def failover(place: Place, fault: Fault) -> Crowd:
    """One failover of a pair of its own, in synchronous mode."""
    async with place.hurt(Way(synchronous=True)) as (pair, crowd):
        await rounds(pair, crowd, fault)
        assert await crowd.faults() == []
        return crowd


@pytest.mark.parametrize("fault", FAILOVERS.values(), ids=list(FAILOVERS))
async def test_a_failover_loses_nothing_and_shows_nothing_stale(fault: Fault, place: Place) -> None:
    done = (await failover(place, fault)).history.done()
    assert done > 10


async def test_no_passing_fault_loses_doubles_or_shows_anything_stale(place: Place) -> None:
    async with place.hurt() as (pair, crowd):
        for name in SHORT:
            await rounds(pair, crowd, PASSING[name])
            assert await crowd.faults() == [], name
        answered = [crowd.history.served_by(who) for who in ("replica", "primary")]
        assert min(answered) > 10


async def kill_pooler(pair: Pair) -> None:
    assert pair.pooler is not None
    pair.pooler.kill()
    await asyncio.sleep(_STRIKE_SECONDS)
    await pair.pooler.start()


async def test_a_killed_pooler_is_an_outage_of_moments(place: Place) -> None:
    async with place.hurt(Way(pooled=True)) as (pair, crowd):
        await rounds(pair, crowd, kill_pooler)
        assert await crowd.faults() == []
        answered = crowd.history.served_by("replica")
        assert answered > 10


@pytest.mark.torture
@pytest.mark.parametrize("name", [*PASSING, "replica lags 10 s", "pooler killed"])
async def test_twenty_rounds_of_each_passing_fault(name: str, place: Place) -> None:
    more = {"replica lags 10 s": let_replica_lag_long, "pooler killed": kill_pooler}
    fault = {**PASSING, **more}[name]
    async with place.hurt(Way(pooled=fault is kill_pooler)) as (pair, crowd):
        for _ in range(_TORTURE_ROUNDS):
            await rounds(pair, crowd, fault)
        tell(name, crowd)
        assert await crowd.faults() == []


@pytest.mark.torture
@pytest.mark.parametrize("name", FAILOVERS)
async def test_twenty_failovers_of_each_kind(name: str, place: Place) -> None:
    for number in range(_TORTURE_ROUNDS):
        tell(f"{name} {number}", await failover(place, FAILOVERS[name]))


def tell(name: str, crowd: Crowd) -> None:
    """The figures of a round, for whoever runs them with -s."""
    history = crowd.history
    print(  # noqa: T201 - figures for the docs
        f"{name}: {len(history.appends)} appends, {history.done()} acknowledged, "
        f"{len(history.looks)} looks, with tokens {history.served_by('replica')} by replicas and "
        f"{history.served_by('primary')} by primaries, whole again within {crowd.slowest:.1f} s"
    )
