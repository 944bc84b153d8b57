"""Who is being erased moves no more, and whoever planned to move them hears so in words."""

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import pytest

from deploy.cli.rebalance_run import left_out_lines
from global_db import moves, rebalances
from global_db.moves import ClientsElsewhere, NewMove
from services.errors import Busy, Conflict
from services.fleet import moves_by_hand
from services.fleet.move_orders import writing
from services.fleet.planning import Goal, make_plan
from services.fleet.rebalances import RunLimits, start
from services.resources import Data
from tests.integration.databases import Fleet
from tests.integration.postgres import ADMIN

ERASURE = """INSERT INTO docshard.erasures (client_id, id, shard, epoch, deleted_at)
             VALUES (%s, gen_random_uuid(), 'shard-1', 1, now())"""


@pytest.fixture
async def data(fleet_dbs: Fleet) -> AsyncIterator[Data]:
    """What a command holds; neither moves nor erasures are left behind."""
    async with fleet_dbs.opened(ADMIN) as opened:
        await opened.registry.refresh()
        yield opened
    async with fleet_dbs.global_db.session() as session:
        await session.execute("TRUNCATE docshard.rebalances, docshard.erasures CASCADE")


async def test_who_is_being_erased_moves_no_more(data: Data, fleet_dbs: Fleet) -> None:
    erased, other = [await fleet_dbs.tenant() for _ in range(2)]
    names = [str(erased), str(other)]
    [batch] = await moves_by_hand.plan_by_hand(data, names, "shard-2")
    async with fleet_dbs.global_db.session() as session:
        await session.execute(ERASURE, [erased])

    with pytest.raises(Conflict, match="being erased"):
        await moves_by_hand.plan_by_hand(data, names, "shard-2")
    with pytest.raises(Conflict, match="being erased"):
        await moves_by_hand.create(data, [batch], None)
    plan = replace(await make_plan(data, Goal.RING), batches=(batch,))
    started = await start(data, plan, RunLimits(grace_seconds=5), None)
    assert started.clients == 1
    assert left_out_lines(started.left_out) == ["left out: 1 clients are being erased"]

    # It had begun after the last look: the database itself refuses.
    late = NewMove(id=uuid4(), source="shard-1", target="shard-2", clients={erased: 1})
    with pytest.raises(Busy):
        async with writing(data) as connection:
            await moves.create(connection, late)
    with pytest.raises(ClientsElsewhere):
        async with data.global_db.write() as connection:
            await rebalances.add_moves(connection, started.rebalance, [late])
