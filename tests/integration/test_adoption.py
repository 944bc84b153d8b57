"""A restored shard takes the lost one's place: only when every tenant is accounted for (I3, I6).

A clone of the shard's database, made in between, is what was restored.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from deploy.local.ports import free
from global_db.cluster import Cluster, NodeAddress, Pooler, PoolLimits
from services.fleet.adoption import Decisions, Settled, record, settle
from services.fleet.fencing import Sign, sign_of_life, unfenced
from services.fleet.restored_fleet import Restored
from services.fleet.shard_addresses import Readdress, readdress
from services.fleet.unmet import Unmet
from tests.integration.databases import Fleet
from tests.integration.postgres import ADMIN, APP, MOVER, Database

_GONE = """
    UPDATE docshard.residency SET state = 'gone', move_id = gen_random_uuid(), generation = 1
     WHERE client_id = %s
"""
_HEAD = """
    INSERT INTO docshard.audit_heads
           (client_id, signed_on, seq, chain_hash, signed_at, kid, signature)
    VALUES (%s, current_date, 7, sha256('a'), now(), gen_random_uuid(),
            sha256('a') || sha256('b'))
"""
_ERASED = """
    INSERT INTO docshard.erasures (client_id, id, shard, epoch, deleted_at)
    VALUES (%s, gen_random_uuid(), 'shard-1', 1, now())
"""
_DOCUMENT = """
    INSERT INTO docshard.documents (client_id, id, original_name, mime_type, created_by)
    VALUES (%s, gen_random_uuid(), 'a name', 'text/plain', gen_random_uuid())
"""
_MOVE = """
    INSERT INTO docshard.moves (id, source, target, state, generation)
    VALUES (gen_random_uuid(), 'shard-1', 'shard-2', 'copying', 3)
"""


@dataclass(frozen=True)
class Scene:
    """The directory, the restored shard, and one tenant for each way in which they can differ."""

    fleet: Fleet
    directory: Cluster
    mover: Cluster
    past: Cluster
    copy: Database
    tenants: dict[str, UUID]

    @property
    def restored(self) -> Restored:
        return Restored(self.mover, {"shard-1": self.past})

    async def settle(self, decisions: Decisions) -> Mapping[str, Settled]:
        return await settle(self.restored, self.directory, decisions)

    async def states(self) -> dict[str, tuple[str, int] | None]:
        rows = await ask(self.copy, "SELECT client_id, state, epoch FROM docshard.residency")
        known = {row["client_id"]: (row["state"], row["epoch"]) for row in rows}
        return {name: known.get(client_id) for name, client_id in self.tenants.items()}


async def ask(database: Database, statement: str, *values: Any) -> list[dict[str, Any]]:
    async with database.session() as session:
        cursor = await session.execute(statement.encode(), values)
        return await cursor.fetchall() if cursor.description else []


@pytest.fixture
async def scene(own_fleet: Fleet) -> AsyncIterator[Scene]:
    directory, shard = own_fleet.global_db, own_fleet.shards["shard-1"]
    names = ("here", "left", "back", "erased")
    tenants = {name: await own_fleet.tenant() for name in names}
    async with shard.session() as session:
        await session.execute("SET session_replication_role = replica")
        await session.execute(_DOCUMENT, [tenants["erased"]])
    with shard.server.database(shard.name, f"{shard.name}_past") as copy:
        tenants["later"] = await own_fleet.tenant()
        await own_fleet.place(tenants["left"], "shard-2", 2)
        await own_fleet.place(tenants["back"], "shard-1", 3)
        await ask(directory, "DELETE FROM docshard.clients WHERE id = %s", tenants["erased"])
        await ask(directory, _ERASED, tenants["erased"])
        await ask(directory, _HEAD, tenants["here"])
        await ask(directory, _MOVE)
        limits = PoolLimits(min_size=1, max_size=2)
        past = Cluster("shard-1", [copy.address], copy.login(MOVER), limits)
        async with directory.cluster(ADMIN) as admin, directory.cluster(MOVER) as mover, past:
            yield Scene(own_fleet, admin, mover, past, copy, tenants)


async def test_nothing_is_settled_while_anybody_is_undecided(scene: Scene) -> None:
    before = await scene.states()
    with pytest.raises(Unmet) as refused:
        await scene.settle(Decisions(opened=frozenset({str(scene.tenants["later"])})))
    told = {one.subject: one.advice for one in refused.value.findings}
    assert set(told) == {str(scene.tenants[name]) for name in ("back", "later")}
    # There is nothing that could be opened.
    assert told[str(scene.tenants["later"])].startswith("say --leave-closed")
    assert await scene.states() == before


async def test_a_settled_shard_is_recorded_at_its_new_address(scene: Scene) -> None:
    tenants, fleet = scene.tenants, scene.fleet
    decisions = Decisions(
        opened=frozenset({str(tenants["back"])}), closed=frozenset({str(tenants["later"])})
    )
    settled = (await scene.settle(decisions))["shard-1"]
    assert (settled.served, settled.elsewhere, settled.erased) == (1, 1, 1)
    assert [one.client_id for one in settled.closed] == [tenants["later"]]
    assert await scene.states() == {
        "here": ("open", 1),
        "left": ("gone", 1),
        "back": ("open", 4),
        "erased": ("gone", 1),
        "later": None,
    }
    assert await ask(scene.copy, "SELECT FROM docshard.documents") == []

    address = NodeAddress(name="restored", host="127.0.0.1", port=scene.copy.address.port)
    async with fleet.data() as data:
        known = data.registry.any_cluster("shard-1")
        await record(scene.directory, settled, Readdress("shard-1", [address], reason="a fire"))
        await data.registry.refresh()
        # Who has heard of it has opened the cluster anew: nothing is believed of the lost one.
        assert data.registry.any_cluster("shard-1") is not known
        assert data.registry.any_cluster("shard-1").addresses == (address,)
        placed = await data.placements.get(tenants["back"])
    assert (placed.shard, placed.epoch) == ("shard-1", 4)
    (move,) = await ask(fleet.global_db, "SELECT generation, lease_until FROM docshard.moves")
    assert move == {"generation": 4, "lease_until": None}
    assert await ask(fleet.global_db, "SELECT FROM docshard.audit_heads") == []
    rows = await ask(
        fleet.global_db,
        "SELECT action, reason, changes FROM docshard.audit_logs ORDER BY created_at, id",
    )
    told = {row["action"]: row["changes"] for row in rows if row["reason"] == "a fire"}
    assert set(told) == {"audit.withdraw", "shard.adopt"}
    # The head that was withdrawn stays readable, signature and all.
    assert told["audit.withdraw"]["before"]["seq"] == 7
    assert told["shard.adopt"]["after"]["closed"] == [str(tenants["later"])]


async def test_what_a_restore_has_closed_may_be_opened_again(scene: Scene) -> None:
    """The restore's own reconciling calls `gone` what was open: the rows are there."""
    back = scene.tenants["back"]
    await ask(scene.copy, _GONE, back)
    everybody = frozenset({str(back)})
    with pytest.raises(Unmet, match="not as the directory"):
        await scene.settle(Decisions(opened=everybody, all_closed=True))
    decisions = Decisions(opened=everybody, all_closed=True, were=frozenset({back}))
    settled = (await scene.settle(decisions))["shard-1"]
    assert [(one.before, one.epoch) for one in settled.opened] == [(3, 4)]


async def test_an_old_server_that_may_live_is_in_the_way(own_fleet: Fleet) -> None:
    """I3: one that answers always, one on another host until a person vouches for it."""
    living = own_fleet.shards["shard-1"].address
    off = NodeAddress(name="off", host="127.0.0.1", port=free())
    # An address for documentation: nobody has it.
    away = NodeAddress(name="away", host="192.0.2.1", port=5432)
    assert await sign_of_life(living.host, living.port) is Sign.LISTENS
    assert await sign_of_life(off.host, off.port) is Sign.OFF
    found = await unfenced([living, off, away], {living.name})
    assert [one.advice.split()[0] for one in found] == ["stop", "see"]
    assert await unfenced([off, away], {"away"}) == []


@asynccontextmanager
async def operated(fleet: Fleet) -> AsyncIterator[Any]:
    async with fleet.opened(ADMIN) as data, fleet.opened(MOVER) as mover:
        await data.registry.refresh()

        async def order(*nodes: NodeAddress) -> Any:
            wish = Readdress("shard-1", nodes, reason="another host")
            return await readdress(data, mover, wish)

        yield order


async def test_a_shard_gets_other_addresses_and_routers_see_it(own_fleet: Fleet) -> None:
    await own_fleet.tenant()
    first, second = (own_fleet.shards[name].address for name in ("shard-1", "shard-2"))
    pooler = Pooler(host="127.0.0.1", port=free(), database="docshard")
    wanted = NodeAddress(name="a-new-name", host="localhost", port=first.port, pooler=pooler)
    async with own_fleet.opened(APP) as data, operated(own_fleet) as order:
        before, after = await order(wanted)
        assert (before.nodes, after.nodes) == ((first,), (wanted,))
        await data.registry.refresh()
        assert data.registry.any_cluster("shard-1").addresses == (wanted,)
        # The present primary would go on beside the new one.
        with pytest.raises(Unmet) as refused:
            await order(second)
        assert "takes writes" in str([one.what for one in refused.value.findings])
        with pytest.raises(Unmet) as refused:
            await order(wanted, second)
        assert "several primaries" in str([one.what for one in refused.value.findings])
        with pytest.raises(Unmet) as refused:
            await order(NodeAddress(name="nobody", host="127.0.0.1", port=free()))
        assert "no primary" in str([one.what for one in refused.value.findings])
