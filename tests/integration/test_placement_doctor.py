"""The doctor finds what the directory and the shards do not agree about, and mends it (I6)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import uuid_utils.compat as uuid_utils

from global_db import leftovers
from services.fleet.placement_doctor import Misplaced
from services.fleet.placement_examination import Extent, examine, mend
from services.resources import Data
from tests.integration.databases import Fleet
from tests.integration.postgres import ADMIN, APP
from tests.integration.scene import INSERT

pytestmark = pytest.mark.versions

MOVER = "docshard_mover"
PLACE = """
    INSERT INTO docshard.residency (client_id, epoch, state, move_id, generation, changed_at)
    VALUES (%(client)s, %(epoch)s, %(state)s, %(move)s, 1, now() - %(age)s * interval '1 second')
    ON CONFLICT (client_id) DO UPDATE
        SET epoch = excluded.epoch, state = excluded.state, move_id = excluded.move_id,
            generation = excluded.generation, changed_at = excluded.changed_at
"""
MOVE = """
    INSERT INTO docshard.moves (id, source, target, state, updated_at)
    VALUES (%(id)s, 'shard-1', 'shard-2', %(state)s, now() - interval '1 hour')
"""
MOVE_CLIENT = """
    INSERT INTO docshard.move_clients (move_id, client_id, epoch, ended) VALUES (%s, %s, 1, %s)
"""
LEFTOVER = """
    INSERT INTO docshard.leftovers (id, move_id, shard, kind, name)
    VALUES (gen_random_uuid(), %(move)s, %(shard)s, %(kind)s, %(name)s)
"""


@dataclass(frozen=True)
class Ward:
    """A fleet that is examined as the mover."""

    fleet: Fleet
    mover: Data
    admin: Data

    async def found(self) -> list[Misplaced]:
        examined = await examine(self.mover)
        assert not examined.more
        return list(examined.found)

    async def one(self) -> Misplaced:
        (one,) = await self.found()
        return one

    async def mend_all(self) -> list[bool]:
        return [await self.mend(one) for one in await self.found()]

    async def mend(self, one: Misplaced) -> bool:
        return await mend(self.admin, self.mover, one, "tidying up")

    async def tenant(self) -> UUID:
        """A tenant of shard-1 with a document."""
        client = await self.fleet.tenant("shard-1")
        async with self.fleet.shards["shard-1"].session(APP) as session, session.transaction():
            await session.execute("SELECT docshard.enter_write(%s, 1)", [client])
            await session.execute(INSERT, {"client": client, "id": uuid_utils.uuid7()})
        return client

    async def place(
        self, shard: str, client: UUID, state: str, epoch: int = 1, age: float = 100
    ) -> None:
        async with self.fleet.shards[shard].session() as session:
            values = {"client": client, "epoch": epoch, "state": state, "age": age}
            await session.execute(PLACE, values | {"move": uuid_utils.uuid7()})

    async def copy_rows(self, shard: str, client: UUID, count: int = 1) -> None:
        async with self.fleet.shards[shard].session() as session:
            await session.execute("SET session_replication_role = replica")
            for _ in range(count):
                await session.execute(INSERT, {"client": client, "id": uuid_utils.uuid7()})

    async def left(self) -> list[str]:
        """What the books say that moves have left."""
        async with self.admin.global_db.read() as connection:
            return [one.kind for one in await leftovers.living(connection)]

    async def state(self, shard: str, client: UUID) -> str | None:
        rows = await self.rows(shard, "SELECT state FROM docshard.residency", client)
        return rows[0]["state"] if rows else None

    async def documents(self, shard: str, client: UUID) -> int:
        return len(await self.rows(shard, "SELECT id FROM docshard.documents", client))

    async def rows(self, shard: str, select: str, client: UUID) -> list[dict[str, Any]]:
        async with self.fleet.shards[shard].session() as session:
            statement = f"{select} WHERE client_id = %s"
            return await (await session.execute(statement.encode(), [client])).fetchall()


@pytest.fixture
async def ward(fleet_dbs: Fleet) -> AsyncIterator[Ward]:
    """The fleet that the tests of this file share, emptied before each."""
    async with fleet_dbs.global_db.session() as session:
        await session.execute("TRUNCATE docshard.clients, docshard.moves CASCADE")
    for shard in fleet_dbs.shards.values():
        async with shard.session() as session:
            await session.execute("SET session_replication_role = replica")
            await session.execute("DELETE FROM docshard.residency; DELETE FROM docshard.documents")
    async with fleet_dbs.opened(MOVER) as mover, fleet_dbs.opened(ADMIN) as admin:
        yield Ward(fleet_dbs, mover, admin)


async def test_tenants_at_home_are_no_findings(ward: Ward) -> None:
    moved = await ward.tenant()
    await ward.fleet.place(moved, "shard-2", 2)
    await ward.place("shard-2", moved, "open", 2)
    await ward.copy_rows("shard-2", moved)
    await ward.place("shard-1", moved, "gone", 1, age=5)  # its sweep is under way
    await ward.tenant()
    assert await ward.found() == []


async def test_a_creation_that_failed_is_ended(ward: Ward) -> None:
    """Decision 5: the shard knows it, the directory never did."""
    client = await ward.fleet.shards["shard-1"].admit()
    assert await ward.found() == []  # it may still be under way
    await ward.place("shard-1", client, "open")
    assert (await ward.one()).what.startswith("admitted ")
    assert await ward.mend_all() == [True]
    assert await ward.state("shard-1", client) == "gone"
    assert await ward.found() == []


async def test_an_owner_whom_the_directory_has_lost_is_for_people(ward: Ward) -> None:
    client = uuid_utils.uuid7()
    await ward.place("shard-1", client, "open")
    await ward.copy_rows("shard-1", client)
    one = await ward.one()
    assert "has rows of" in one.what
    assert await ward.mend_all() == [False]
    assert await ward.documents("shard-1", client) == 1


async def test_a_tenant_on_two_shards_keeps_its_home(ward: Ward) -> None:
    client = await ward.tenant()
    await ward.place("shard-2", client, "open")
    await ward.copy_rows("shard-2", client, 3)
    assert "also serves" in (await ward.one()).what
    assert await ward.mend_all() == [True]
    assert await ward.state("shard-2", client) == "gone"
    # What was gone for longer than the grace gives up its rows, in a second round.
    assert await ward.found() == []
    await ward.place("shard-2", client, "gone")
    assert await ward.mend_all() == [True]
    assert await ward.documents("shard-2", client) == 0
    assert await ward.documents("shard-1", client) == 1
    assert await ward.found() == []


async def test_half_a_copy_goes_unless_a_move_is_at_work(ward: Ward) -> None:
    client = await ward.tenant()
    await ward.place("shard-2", client, "importing", 2)
    await ward.copy_rows("shard-2", client, 2)
    move = uuid_utils.uuid7()
    async with ward.fleet.global_db.session() as session:
        await session.execute(MOVE, {"id": move, "state": "copying"})
        await session.execute(MOVE_CLIENT, [move, client, False])
        await session.execute(
            LEFTOVER, {"move": move, "shard": "shard-2", "kind": "tenant", "name": str(client)}
        )
        assert await ward.found() == []
        await session.execute("UPDATE docshard.moves SET state = 'aborted' WHERE id = %s", [move])
        assert await ward.found() == []  # its runner has not said that it is done
        await session.execute("UPDATE docshard.move_clients SET ended = true")
    found = await ward.one()
    assert "has half a copy of" in found.what
    await ward.place("shard-2", client, "importing", 2, age=70)  # another move's by now
    assert not await ward.mend(found)
    assert await ward.documents("shard-2", client) == 2
    assert await ward.left() == ["tenant"]
    assert await ward.mend_all() == [True]
    assert await ward.documents("shard-2", client) == 0
    assert await ward.state("shard-2", client) == "gone"
    assert await ward.left() == []
    async with ward.fleet.global_db.session() as session:
        cursor = await session.execute(
            "SELECT reason FROM docshard.audit_logs WHERE action = 'shard.mend'"
            " AND changes ->> 'before' LIKE %s",
            [f"%half a copy%{client}%"],
        )
        assert await cursor.fetchall() == [{"reason": "tidying up"}]


async def test_a_lost_tenant_and_an_old_directory_are_for_people(ward: Ward) -> None:
    lost = uuid_utils.uuid7()
    async with ward.fleet.global_db.session() as session:
        await session.execute(
            "INSERT INTO docshard.clients (id, code, name, shard)"
            " VALUES (%s, 'lost', 'lost', 'shard-2')",
            [lost],
        )
    assert (await ward.one()).what == (
        f"does not know client lost ({lost}), whom the directory places there"
    )
    async with ward.fleet.global_db.session() as session:
        await session.execute("DELETE FROM docshard.clients")
    client = await ward.tenant()
    await ward.place("shard-1", client, "gone")
    await ward.place("shard-2", client, "open", 2)
    one = await ward.one()
    assert "at epoch 2, the directory at 1" in one.what
    assert "restored to the past" in one.advice
    assert await ward.mend_all() == [False]


async def test_what_moves_left_is_dropped(ward: Ward) -> None:
    client, move = await ward.tenant(), uuid_utils.uuid7()
    name = f"docshard_move_{move.hex}"
    source, target = (ward.fleet.shards[f"shard-{number}"] for number in (1, 2))
    async with source.session() as there, target.session() as here:
        await there.execute(
            "SELECT docshard.publish(%s, ARRAY['documents'], ARRAY[%s::uuid], %s)",
            [name, client, move],
        )
        await there.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [name])
        await here.execute("SELECT docshard.subscribe(%s, %s)", [name, source.conninfo(MOVER)])
        assert len(await ward.found()) == 3
        async with ward.fleet.global_db.session() as session:
            await session.execute(MOVE, {"id": move, "state": "catching_up"})
            for kind, shard in (("slot", 1), ("publication", 1), ("subscription", 2)):
                await session.execute(
                    LEFTOVER,
                    {"move": move, "shard": f"shard-{shard}", "kind": kind, "name": name},
                )
            assert await ward.found() == []
            await session.execute("UPDATE docshard.moves SET state = 'swept'")
        # The slot has a reader until the subscription is gone.
        while found := await ward.found():
            for one in found:
                await ward.mend(one)
        for session, catalog in (
            (there, "pg_publication WHERE pubname"),
            (there, "pg_replication_slots WHERE slot_name"),
            (here, "pg_subscription WHERE subname"),
        ):
            cursor = await session.execute(f"SELECT FROM {catalog} = %s".encode(), [name])
            assert await cursor.fetchone() is None
    assert await ward.left() == []


async def test_pages_leave_nobody_out(ward: Ward) -> None:
    clients = [await ward.fleet.tenant(f"shard-{1 + number % 2}") for number in range(10)]
    strays = [uuid_utils.uuid7() for _ in range(8)]
    for stray in strays:
        await ward.place("shard-2", stray, "open")
    held = [client for number, client in enumerate(clients) if not number % 2][:4]
    for client in held:
        await ward.copy_rows("shard-2", client)
    found = (await examine(ward.mover, Extent(page=3))).found
    told = " ".join(one.what for one in found)
    assert len(found) == len(strays) + len(held)
    assert all(str(one) in told for one in [*strays, *held])
