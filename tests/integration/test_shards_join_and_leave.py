"""A cluster becomes a shard, and an empty one leaves, while others create clients."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import pytest

from global_db.address import Login
from global_db.cluster import NodeAddress
from global_db.connection import RawConnection
from services.access.admission import admit_operator
from services.administration import clients
from services.administration.clients import Client, NewClient
from services.errors import Conflict, NotFound
from services.fleet import shard_add, shard_prepare, shard_remove
from services.fleet.shard_add import Offer
from services.fleet.shards import register_shard, set_draining, shard_states
from services.fleet.unmet import Unmet
from services.resources import Data
from shards.history import HISTORY
from tests.integration.databases import Fleet
from tests.integration.moving import set_state
from tests.integration.postgres import ADMIN, APP, Postgres, Site, server_folder
from tests.integration.waiting import until

MOVER = "docshard_mover"
pytestmark = pytest.mark.versions


@dataclass(frozen=True)
class Newcomer:
    """A server of a cluster that nobody knows yet, and the fleet that it may join."""

    fleet: Fleet
    server: Postgres

    async def prepare(self) -> None:
        database = self.fleet.global_db.name
        passwords = dict.fromkeys((APP, ADMIN, MOVER), self.server.password)
        await shard_prepare.prepare(self.server.conninfo(), passwords, database)

    def offer(self, name: str = "shard-3", password: str | None = None) -> Offer:
        login = Login(APP, password or self.server.password, self.fleet.global_db.name)
        node = NodeAddress(name=f"{name}-a", host="127.0.0.1", port=self.server.port)
        return Offer(name, [node], logins=(login,))


@pytest.fixture(scope="module")
def strange_server(postgres_site: Site) -> Iterator[Postgres]:
    """Not a copy of the others' template: that would share PostgreSQL's system identifier."""
    with server_folder() as folder:
        site = replace(postgres_site, folder=folder)
        site.make_template()
        with site.server("strange") as server:
            yield server


@pytest.fixture
def newcomer(own_fleet: Fleet, strange_server: Postgres) -> Newcomer:
    return Newcomer(own_fleet, strange_server)


@pytest.fixture
async def admin(own_fleet: Fleet) -> AsyncIterator[Data]:
    async with own_fleet.opened(ADMIN) as data:
        await data.registry.refresh()
        yield data


@pytest.fixture
async def router(own_fleet: Fleet) -> AsyncIterator[Data]:
    """A process whose catalog is as old as its last refresh."""
    async with own_fleet.data() as data:
        yield data


def reasons(error: pytest.ExceptionInfo[Unmet]) -> str:
    return "\n".join(f"{one.subject} {one.what}" for one in error.value.findings)


async def create(data: Data) -> Client:
    new = NewClient(f"c-{uuid4().hex}", "a client", {})
    return await clients.create(data, admit_operator(None), new)


async def actions(fleet: Fleet) -> list[tuple[str, str | None]]:
    async with fleet.global_db.session() as session:
        cursor = await session.execute(
            "SELECT action, reason FROM docshard.audit_logs WHERE entity_type = 'shard'"
            " ORDER BY created_at"
        )
        return [(row["action"], row["reason"]) for row in await cursor.fetchall()]


async def test_a_strange_cluster_is_prepared_checked_and_joins(
    newcomer: Newcomer, admin: Data, router: Data
) -> None:
    with pytest.raises(Unmet) as refused:
        await shard_add.add(admin, newcomer.offer(), None)
    assert "does not let us in" in reasons(refused)
    for _ in range(2):  # safe to repeat
        await newcomer.prepare()
    with pytest.raises(Unmet) as refused:
        await shard_add.add(admin, newcomer.offer(password="another"), None)
    assert reasons(refused) == "shard-3 lets nobody in as docshard_app"

    verdict = await shard_add.examine(admin, newcomer.offer())
    assert verdict.refusals == ()
    assert await shard_add.names_taken(admin) == {"shard-1", "shard-2"}
    added = await shard_add.add(admin, newcomer.offer(), "more room")
    assert (added.shard.status, added.shard.schema_revision) == ("active", HISTORY.head)
    assert added.notes == verdict.notes
    assert ("shard.add", "more room") in await actions(newcomer.fleet)

    await router.registry.refresh()
    homes = {(await create(router)).shard for _ in range(24)}
    assert homes == {"shard-1", "shard-2", "shard-3"}
    with pytest.raises(Unmet) as refused:
        await shard_add.add(admin, newcomer.offer("shard-4"), None)
    told = reasons(refused)
    assert "shard-4 has the system identifier of shard-3" in told
    assert "tenants of another installation" in told
    with pytest.raises(Unmet) as refused:
        await shard_add.add(admin, newcomer.offer("shard-1"), None)
    assert "shard-1 is or was the name of another shard" in reasons(refused)


async def test_the_directory_itself_is_no_shard(own_fleet: Fleet, admin: Data) -> None:
    offer = Offer("shard-3", [own_fleet.global_db.address])
    verdict = await shard_add.examine(admin, offer)
    told = [one.what for one in verdict.refusals]
    assert any(what.startswith("has the system identifier of global") for what in told)
    assert "holds the tables of a global database" in told


async def test_nobody_lands_on_a_shard_that_has_begun_to_drain(
    own_fleet: Fleet, admin: Data, router: Data
) -> None:
    """I6, from both sides of the lock: who comes before is waited for, who comes later goes on."""
    async with own_fleet.global_db.session() as early, own_fleet.global_db.session() as watcher:
        async with early.transaction():
            await early.execute(
                "INSERT INTO docshard.clients (id, code, name, shard)"
                " VALUES (gen_random_uuid(), 'early', 'early', 'shard-1')"
            )
            draining = asyncio.create_task(set_draining(admin, "shard-1", True, "to be repaired"))
            await until_any_waits(watcher)
            assert not draining.done()
        assert (await draining).status == "draining"
    # The router has not heard of it: its ring still proposes both.
    assert set(router.registry.ring().members) == {"shard-1", "shard-2"}
    assert {(await create(router)).shard for _ in range(12)} == {"shard-2"}
    with pytest.raises(Conflict, match="last"):
        await set_draining(admin, "shard-2", True, None)
    assert (await set_draining(admin, "shard-1", False, None)).status == "active"
    assert await actions(own_fleet) == [
        ("shard.drain", "to be repaired"),
        ("shard.activate", None),
    ]


async def test_who_waits_for_the_drain_reads_what_it_wrote(own_fleet: Fleet, router: Data) -> None:
    async with own_fleet.global_db.session() as drain, own_fleet.global_db.session() as watcher:
        async with drain.transaction():
            await drain.execute("SELECT FROM docshard.shards WHERE name = 'shard-1' FOR UPDATE")
            created = [asyncio.create_task(create(router)) for _ in range(8)]
            await until_any_waits(watcher)
            await drain.execute(
                "UPDATE docshard.shards SET status = 'draining' WHERE name = 'shard-1'"
            )
        assert {client.shard for client in await asyncio.gather(*created)} == {"shard-2"}
    async with own_fleet.shards["shard-1"].session() as there:
        cursor = await there.execute("SELECT count(*) AS admitted FROM docshard.residency")
        assert await cursor.fetchone() == {"admitted": 0}


async def test_only_an_empty_shard_leaves_and_its_name_is_never_used_again(
    own_fleet: Fleet, admin: Data
) -> None:
    client_id = await own_fleet.tenant("shard-1")
    async with own_fleet.opened(MOVER) as mover:
        await mover.registry.refresh()

        async def refusal() -> str:
            with pytest.raises(Unmet) as refused:
                await shard_remove.remove(admin, mover, "shard-1", None)
            return reasons(refused)

        told = await refusal()
        assert "shard-1 takes new clients" in told
        assert "shard-1 has 1 clients" in told
        await set_draining(admin, "shard-1", True, None)
        assert await refusal() == "shard-1 has 1 clients"

        await own_fleet.place(client_id, "shard-2", 2)
        assert "says that 1 tenants live on it" in await refusal()
        await end_residency(own_fleet, client_id)
        before = await shard_remove.remove(admin, mover, "shard-1", "empty")
        assert before.status == "draining"
        with pytest.raises(NotFound):
            await shard_remove.remove(admin, mover, "shard-1", None)
    assert [state.shard.name for state in await shard_states(admin)] == ["shard-2"]
    assert await shard_add.names_taken(admin) == {"shard-1", "shard-2"}
    with pytest.raises(Conflict):
        await register_shard(admin, "shard-1", [own_fleet.global_db.address])
    with pytest.raises(NotFound):
        await set_draining(admin, "shard-1", False, None)
    assert (await actions(own_fleet))[-1] == ("shard.remove", "empty")


async def until_any_waits(watcher: RawConnection) -> None:
    """Wait until some backend of this database waits for another's transaction."""

    async def waits() -> bool:
        cursor = await watcher.execute(
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database()"
        )
        return await cursor.fetchone() is not None

    await until(waits)


async def end_residency(fleet: Fleet, client_id: UUID) -> None:
    async with fleet.shards["shard-1"].session() as session:
        await set_state(session, client_id, "gone")
