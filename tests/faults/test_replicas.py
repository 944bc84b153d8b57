"""Nothing acknowledged is lost (I1), nothing done twice (I2), nobody reads stale with a token, and
everything heals by itself (I10), whatever happens to a shard's servers and the ways to them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.faults.callers import Crowd, crowd_of
from tests.integration.databases import Fleet
from tests.integration.pair import Pair, paired_fleet
from tests.integration.postgres import Site
from tests.integration.wire import Wire

pytestmark = pytest.mark.versions

Fault = Callable[[Pair], Awaitable[None]]
_STRIKE_SECONDS = 0.6


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
FAILOVERS: dict[str, Fault] = {
    "kill and promote": kill_and_promote,
    "freeze and promote": freeze_and_promote,
    "switchover": switch_over,
}


@asynccontextmanager
async def hurt(
    site: Site, template: Path, fleet: Fleet, folder: Path, *, synchronous: bool = False
) -> AsyncIterator[tuple[Pair, Crowd]]:
    async with (
        paired_fleet(site, template, fleet, synchronous=synchronous) as (paired, pair),
        crowd_of(paired, folder) as crowd,
    ):
        yield pair, crowd


async def rounds(pair: Pair, crowd: Crowd, fault: Fault) -> None:
    """Callers before, during and after the fault, until every worker serves again."""
    async with crowd.at_work():
        await asyncio.sleep(_STRIKE_SECONDS)
        await fault(pair)
        await crowd.until_whole()
        await asyncio.sleep(_STRIKE_SECONDS)


@pytest.mark.parametrize("fault", FAILOVERS.values(), ids=list(FAILOVERS))
async def test_a_failover_loses_nothing_and_shows_nothing_stale(
    fault: Fault, postgres_site: Site, pair_template: Path, own_fleet: Fleet, tmp_path: Path
) -> None:
    async with hurt(postgres_site, pair_template, own_fleet, tmp_path, synchronous=True) as both:
        pair, crowd = both
        await rounds(pair, crowd, fault)
        assert await crowd.faults() == []
        assert crowd.history.done() > 10


async def test_no_passing_fault_loses_doubles_or_shows_anything_stale(
    postgres_site: Site, pair_template: Path, own_fleet: Fleet, tmp_path: Path
) -> None:
    async with hurt(postgres_site, pair_template, own_fleet, tmp_path) as (pair, crowd):
        for name, fault in PASSING.items():
            await rounds(pair, crowd, fault)
            assert await crowd.faults() == [], name
        assert crowd.history.served_by("replica") > 100
        assert crowd.history.served_by("primary") > 100
