"""A runner that stands still holds up nobody for long, and a copy may take its time."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from global_db import move_claims
from global_db.transaction import Transaction
from services.fleet.moving.runner import COPYING
from shards.copying import claims, publications, slots
from tests.integration.databases import Fleet
from tests.integration.move_desk import Desk, Ledger, desk, unsettled
from tests.integration.movers import course_of
from tests.integration.postgres import MOVER
from tests.integration.waiting import until


@pytest.fixture
async def at(own_fleet: Fleet) -> AsyncIterator[Desk]:
    async with desk(own_fleet) as opened:
        yield opened


async def test_one_that_is_stopped_in_its_claim_is_followed(at: Desk, own_fleet: Fleet) -> None:
    """All claims take one lock: whoever holds it and says nothing any more loses it.

    A server lets go of idle ones alone, and in a pipeline it is idle behind a Sync alone.
    """
    async with own_fleet.data() as data:
        ledger = Ledger(own_fleet, data, [await own_fleet.tenant()])
        await ledger.write_each()
        move_id = await at.order(ledger.at_epoch(1))
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            async with own_fleet.global_db.session(MOVER) as stopped:
                claiming = Transaction(stopped)  # `transaction` would cut what takes so long
                assert await move_claims.claim(claiming, "stopped", 4.0, COPYING) is not None
                async with at.runner():
                    await at.ends(move_id, "swept", seconds=30)
        await ledger.check("shard-2", epoch=2)
    assert await unsettled(at) == []


async def test_a_snapshot_outlasts_the_deadline_of_idle_movers(own_fleet: Fleet) -> None:
    source = own_fleet.shards["shard-1"]
    client = await own_fleet.tenant()
    source.set_deadline(MOVER, "idle_in_transaction_session_timeout", "100ms")
    async with course_of(own_fleet, client) as course:
        await claims.claim(course.source, course.mover)
        await publications.publish(course.source, course.mover, course.batch)
        async with slots.exported(course.source, course.mover) as snapshot:
            async with source.session(MOVER) as idle:
                await idle.execute("BEGIN")
                await until(lambda: _has_ended(idle))
            async with source.session(MOVER) as reader:
                await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                await reader.execute(f"SET TRANSACTION SNAPSHOT '{snapshot.name}'".encode())


async def _has_ended(idle: psycopg.AsyncConnection[dict[str, object]]) -> bool:
    """Whether the server has ended a session; hearing of it asks nothing of it."""
    try:
        idle.pgconn.consume_input()
    except psycopg.OperationalError:
        return True
    return False
