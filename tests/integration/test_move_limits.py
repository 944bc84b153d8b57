"""What a move waits for and is refused for: lagging standbys, slow servers, full disks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from services.fleet.moving.throttle import standby_lag
from services.move_settings import MoveSettings
from tests.integration.databases import Fleet
from tests.integration.move_desk import Desk, desk
from tests.integration.pair import Pair, paired_fleet
from tests.integration.postgres import Site
from tests.integration.waiting import until

MIB = 1024**2
SETTINGS = MoveSettings(grace_seconds=0.2, standby_lag_bytes=MIB)
SLOW_SECONDS = 0.04


async def is_held(at: Desk, move_id: UUID, reason: str) -> None:
    """Wait until the move says that it waits for this; on a busy machine it waits for more."""

    async def waits() -> bool:
        return reason in str((await at.get(move_id)).progress.get("held"))

    await until(waits, 15)


@asynccontextmanager
async def lagging(at: Desk, pair: Pair) -> AsyncIterator[None]:
    """The standby of shard-1 receives and does not replay."""
    cluster = at.data.registry.cluster("shard-1")
    pair.replica.pause_replay()
    pair.primary.sql("CREATE TABLE much AS SELECT repeat('x', 100) FROM generate_series(1, 20000)")

    async def noticed() -> bool:
        await cluster.look()
        return standby_lag(cluster) > MIB

    await until(noticed)
    yield
    pair.replica.resume_replay()


async def test_a_move_waits_for_standbys_and_gives_way_to_others(
    postgres_site: Site, pair_template: Path, own_fleet: Fleet
) -> None:
    async with paired_fleet(postgres_site, pair_template, own_fleet) as (fleet, pair):
        first, second = [await fleet.tenant() for _ in range(2)]
        async with desk(fleet, SETTINGS) as at:
            async with lagging(at, pair), at.runner():
                move_id = await at.order({first: 1})
                await is_held(at, move_id, "standby of shard-1")
            async with at.runner():
                assert (await at.ends(move_id, "swept")).progress["held"] is None
                pair.wires[0].slow(SLOW_SECONDS)
                move_id = await at.order({second: 1})
                await is_held(at, move_id, "shard-1 takes")
                pair.wires[0].release()
                assert (await at.ends(move_id, "swept")).progress["held"] is None


async def test_a_move_to_a_full_disk_is_refused(own_fleet: Fleet, tmp_path: Path) -> None:
    """A disk without a free byte: the kernel's own."""
    node = own_fleet.shards["shard-2"].address.name
    (tmp_path / node).symlink_to("/proc")
    settings = MoveSettings(grace_seconds=0.2, data_folder=tmp_path)
    async with desk(own_fleet, settings) as at, at.runner():
        move_id = await at.order({await own_fleet.tenant(): 1})
        refused = await at.faulty(move_id)
        assert refused.state == "planned"
        assert "shard-2 has 0 MiB free" in (refused.fault or "")
        (tmp_path / node).unlink()
        assert (await at.ends(move_id, "swept")).fault is None
