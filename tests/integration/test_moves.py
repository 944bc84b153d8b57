"""Moves between two real shards: under writers, undone, reversed, taken over, refused."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from global_db import leases, partitions
from services.fleet.moving.run import Run
from services.move_settings import MoveSettings
from services.resources import Data
from tests.integration.databases import Fleet
from tests.integration.hooks import Hook
from tests.integration.move_desk import Desk, Ledger, desk, order_rebalance, unsettled
from tests.integration.postgres import SUPERUSER
from tests.integration.waiting import until

LONG_GRACE = MoveSettings(grace_seconds=60)


class Killed(BaseException):
    """The runner's process is gone: nothing of it runs on, nothing is given back."""


class Kill(Hook):
    async def act(self, _run: Run) -> None:
        raise Killed


class Break(Hook):
    async def act(self, _run: Run) -> None:
        raise RuntimeError("broken by a test")


class Hooks:
    """Several of them."""

    def __init__(self, *hooks: Hook) -> None:
        self.hooks = hooks

    async def __call__(self, run: Run, step: str, done: bool) -> None:
        for hook in self.hooks:
            await hook(run, step, done)


@pytest.fixture
async def at(fleet_dbs: Fleet) -> AsyncIterator[Desk]:
    async with desk(fleet_dbs) as opened:
        yield opened


@pytest.fixture
async def ledger(fleet_dbs: Fleet, fleet_data: Data) -> Ledger:
    """Three tenants on shard-1, with something in each table that writers fill."""
    tenants = [await fleet_dbs.tenant() for _ in range(3)]
    made = Ledger(fleet_dbs, fleet_data, tenants)
    await made.write_each()
    return made


@pytest.mark.versions
async def test_a_batch_moves_and_comes_back_under_writers(at: Desk, ledger: Ledger) -> None:
    """I1, I2, I3, I6: what was acknowledged is there once, where the directory says."""
    at.settings = LONG_GRACE
    async with at.runner(), ledger.writers():
        there = await at.order(ledger.at_epoch(1))
        await at.reaches(there, "switched")
        moved = await at.reversible(there)
        assert moved.actual["pause_ms"] > 0
        assert moved.actual["rows"] >= 3
        back = await at.reverse(moved, ledger.at_epoch(2))
        await at.reaches(back, "switched")
        await ledger.more_writes()
    await ledger.check("shard-1", epoch=3)
    await at.hasten(back)
    async with at.runner():
        assert (await at.ends(back, "swept")).facts.get("copies") is None
        assert (await at.ends(there, "swept")).state == "swept"
    await ledger.check("shard-1", epoch=3)
    assert await unsettled(at) == []


@pytest.mark.parametrize("step", ["leave_out_pinned", "copy_rows", "make_way_back", "approach"])
async def test_an_operator_aborts(at: Desk, ledger: Ledger, step: str) -> None:
    """In each state; the tenants go on where they are, and nothing is left."""

    class Wish(Hook):
        async def act(self, run: Run) -> None:
            await at.wish(run.move.id, "abort")

            async def heard() -> bool:
                return run.wish == "abort"

            await until(heard)

    async with ledger.writers(), at.runner(Wish(step)):
        move = await at.ends(await at.order(ledger.at_epoch(1)), "aborted")
        await ledger.more_writes()
    touched = step != "leave_out_pinned"
    await ledger.check("shard-1", epoch=3 if touched else 1)
    assert move.fault is None
    assert await unsettled(at) == []


@pytest.mark.versions
async def test_a_switch_that_fails_is_undone_and_ordered_again(at: Desk, ledger: Ledger) -> None:
    rebalance = await order_rebalance(at)
    async with ledger.writers(), at.runner(Break("commit_point")):
        first = await at.order(ledger.at_epoch(1), rebalance_id=rebalance)
        assert (await at.ends(first, "aborted")).fault == "RuntimeError: broken by a test"
        second = await at.retry_of(first)
        await at.ends(second.id, "swept")
        await at.rebalance_is(rebalance, "finished")
        await ledger.more_writes()
    await ledger.check("shard-2", epoch=4)
    assert await unsettled(at) == []


KILLS = {
    "begin": "swept",
    "copy_rows": "swept",
    "make_way_back": "swept",
    "verify": "swept",
    "open_target": "aborted",
    "leave": "swept",
    "drop_forward": "swept",
    "sweep_source": "swept",
}


@pytest.mark.versions
async def test_a_dead_runner_is_followed_in_every_state(
    at: Desk, fleet_dbs: Fleet, fleet_data: Data
) -> None:
    """Each move's first runner dies at another step; another run ends it."""
    ledgers = {step: Ledger(fleet_dbs, fleet_data, [await fleet_dbs.tenant()]) for step in KILLS}
    orders = {step: await at.order(one.at_epoch(1)) for step, one in ledgers.items()}
    hooks = Hooks(*(Kill(step, orders[step], done=step != "open_target") for step in KILLS))
    for one in ledgers.values():
        await one.write_each()
    async with at.runner(hooks):
        for step, state in KILLS.items():
            move = await at.ends(orders[step], state, seconds=40)
            assert move.generation > 1
    for step, state in KILLS.items():
        await ledgers[step].write_each()
        there, epoch = ("shard-2", 2) if state == "swept" else ("shard-1", 3)
        await ledgers[step].check(there, epoch=epoch)
    assert await unsettled(at) == []


async def test_a_refusal_says_why_and_the_move_begins_when_it_is_mended(
    at: Desk, own_fleet: Fleet
) -> None:
    async with desk(own_fleet) as other:
        source, target = own_fleet.shards.values()
        month = "SELECT docshard.make_audit_partition('2031-05-01')"
        async with source.session(SUPERUSER) as session:
            await session.execute(month)
        async with other.runner():
            move_id = await other.order({await own_fleet.tenant(): 1})
            refused = await other.faulty(move_id)
            assert refused.state == "planned"
            assert "audit_logs_2031_05" in (refused.fault or "")
            async with target.session(SUPERUSER) as session:
                await session.execute(month)
            assert (await other.ends(move_id, "swept")).fault is None


async def test_a_pause_holds_until_it_ends(at: Desk, ledger: Ledger) -> None:
    move_id = await at.order(ledger.at_epoch(1))
    reached = asyncio.Event()

    class Pause(Hook):
        async def act(self, run: Run) -> None:
            await at.wish(run.move.id, "pause")

            async def heard() -> bool:
                return run.wish == "pause"

            await until(heard)
            reached.set()

    async with at.runner(Pause("catch_up")):
        await reached.wait()
        assert (await at.get(move_id)).state == "catching_up"
        await at.wish(move_id, "run")
        await at.ends(move_id, "swept")
    await ledger.check("shard-2", epoch=2)


async def test_pins_of_after_the_plan_hold(at: Desk, ledger: Ledger, fleet_dbs: Fleet) -> None:
    pinned, *others = ledger.tenants
    move_id = await at.order(ledger.at_epoch(1))
    async with fleet_dbs.global_db.session() as session:
        await session.execute("UPDATE docshard.clients SET pinned = true WHERE id = %s", [pinned])
    async with at.runner():
        await at.ends(move_id, "swept")
    await replace(ledger, tenants=others).check("shard-2", epoch=2)
    await replace(ledger, tenants=[pinned]).check("shard-1", epoch=1)


async def test_months_are_not_changed_while_a_move_begins(at: Desk, ledger: Ledger) -> None:
    move_id = await at.order(ledger.at_epoch(1))
    async with leases.hold(at.data.global_db, partitions.lease_name("shard-1")) as lease:
        assert lease is not None
        async with at.runner():
            assert "Months" in ((await at.faulty(move_id)).fault or "")
    async with at.runner():
        await at.ends(move_id, "swept")


async def test_an_orderly_stop_gives_leases_back(at: Desk, ledger: Ledger) -> None:
    move_id = await at.order(ledger.at_epoch(1))
    reached = asyncio.Event()

    class Reach(Hook):
        async def act(self, run: Run) -> None:
            reached.set()

            async def told_to_stop() -> bool:
                return run.stopping

            await until(told_to_stop)

    async with at.runner(Reach("verify")):
        await reached.wait()
    left = await at.get(move_id)
    assert (left.state, left.lease_owner, left.fault) == ("verifying", None, None)
    async with at.runner():
        await at.ends(move_id, "swept")
    await ledger.check("shard-2", epoch=2)
