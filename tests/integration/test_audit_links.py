"""Linking: every committed row once, in order, whoever writes and links at the same time."""

import asyncio
import random
from functools import partial
from uuid import UUID

import psycopg
import pytest

from services.chain import hashing
from services.fleet import audit_links
from services.fleet.audit_links import Linker
from shards import chain
from tests.integration.chains import Chains
from tests.integration.moving import set_state
from tests.integration.postgres import APP, WORKER

pytestmark = pytest.mark.versions

WRITERS = 32


async def follow(chains: Chains, client_id: UUID, done: asyncio.Event) -> list[int]:
    """What somebody sees who asks again and again for what comes after the last seq seen."""
    seen: list[int] = []
    last = 0
    while True:
        over = done.is_set()
        read = partial(chain.links, seq=last, last=2**62, limit=17)
        seen += [link.seq for link in await chains.app.tenants.read(client_id, read)]
        if over and len(seen) == last:
            return seen
        last = len(seen)
        await asyncio.sleep(0)


async def test_writers_of_all_lengths_and_several_linkers_at_once(chains: Chains) -> None:
    """Nothing is skipped, nothing linked twice, and no follower misses a seq."""
    clients = [await chains.tenant() for _ in range(2)]
    lengths = random.Random(7)
    written, done = asyncio.Event(), asyncio.Event()

    async def writer() -> None:
        for _ in range(3):
            pause = lengths.choice([0, 0, 0.002, 0.05, 0.2])
            await chains.note(lengths.choice(clients), lengths.randrange(1, 4), pause)

    async def linker() -> None:
        while not written.is_set():
            await chains.link()

    following = [asyncio.create_task(follow(chains, client_id, done)) for client_id in clients]
    linking = [asyncio.create_task(linker()) for _ in range(3)]
    await asyncio.gather(*(writer() for _ in range(WRITERS)))
    written.set()
    await asyncio.gather(*linking)
    await chains.link()
    done.set()
    for client_id, follower in zip(clients, following, strict=True):
        links = await chains.chain(client_id)
        rows = await chains.sql(
            "SELECT id FROM docshard.audit_logs WHERE client_id = %s", client_id
        )
        assert {link["audit_id"] for link in links} == {row["id"] for row in rows}
        assert [link["seq"] for link in links] == list(range(1, len(rows) + 1))
        assert await follower == [link["seq"] for link in links]
        report = await chains.verify(client_id)
        assert (report.findings, report.checked) == ([], len(rows))
        hashed = hashing.origin(client_id)
        for link in links:
            hashed = hashing.extend(hashed, link["seq"], bytes(link["content_hash"]))
            assert hashed == bytes(link["chain_hash"])


async def test_a_transaction_that_commits_late_is_linked_late_and_holds_up_nobody(
    chains: Chains,
) -> None:
    client_id = await chains.tenant()
    opened, end = asyncio.Event(), asyncio.Event()

    async def long() -> None:
        async with chains.fleet.shards["shard-1"].session(APP) as session, session.transaction():
            await session.execute("SELECT docshard.enter_write(%s, 1)", [client_id])
            await session.execute(
                "INSERT INTO docshard.audit_logs (client_id, id, action, entity_type, entity_id,"
                " content_hash) VALUES (%s, gen_random_uuid(), 'late', 'document', %s, '')",
                [client_id, client_id],
            )
            opened.set()
            await end.wait()

    late = asyncio.create_task(long())
    await opened.wait()
    await chains.note(client_id, 3)
    assert await chains.link() == 3
    assert await chains.link() == 0
    end.set()
    await late
    assert await chains.link() == 1
    links = await chains.chain(client_id)
    assert [link["seq"] for link in links] == [1, 2, 3, 4]
    # It began first, so it is dated first; its place is that of its commit.
    assert links[3]["audit_created_at"] < links[0]["audit_created_at"]
    assert (await chains.verify(client_id)).findings == []


async def test_while_one_worker_links_a_tenant_another_goes_on(chains: Chains) -> None:
    client_id = await chains.tenant(2)
    cluster = chains.worker.registry.cluster("shard-1")
    async with cluster.write() as first:
        assert await chain.link(first, client_id, 1) == 1
        async with cluster.write() as second:
            assert await chain.link(second, client_id, 1) == 0
    assert await chains.link() == 1


async def test_a_tenant_with_many_rows_starves_nobody(chains: Chains) -> None:
    """Every tenant gets its turn before anybody gets a second one."""
    large = await chains.tenant(3 * audit_links.BATCH)
    small = [await chains.tenant(1) for _ in range(5)]
    assert await audit_links._round(chains.worker.registry.cluster("shard-1")) == (
        audit_links.BATCH + len(small)
    )
    assert [len(await chains.chain(client_id)) for client_id in small] == [1] * len(small)
    assert await chains.link() == 2 * audit_links.BATCH
    assert (await chains.verify(large)).checked == 3 * audit_links.BATCH


@pytest.mark.parametrize("state", ["fenced", "gone", "importing"])
async def test_at_a_fence_nothing_is_linked(chains: Chains, state: str) -> None:
    client_id = await chains.tenant(2)
    async with chains.fleet.shards["shard-1"].session() as mover:
        await set_state(mover, client_id, state)
        assert await chains.link() == 0
        async with chains.worker.registry.cluster("shard-1").write() as connection:
            assert await chain.link(connection, client_id, 10) == 0
        await set_state(mover, client_id, "open")
    assert await chains.link() == 2


async def test_who_may_do_what(chains: Chains) -> None:
    client_id = await chains.tenant(1)
    await chains.link()
    await chains.note(client_id)
    shard = chains.fleet.shards["shard-1"]
    refused = {
        APP: (
            "DELETE FROM docshard.audit_pending",
            "UPDATE docshard.audit_pending SET content_hash = ''",
            "INSERT INTO docshard.audit_pending SELECT * FROM docshard.audit_pending",
            "INSERT INTO docshard.audit_chain SELECT * FROM docshard.audit_chain",
            f"SELECT docshard.link_audit('{client_id}', 1)",
        ),
        WORKER: (
            "INSERT INTO docshard.audit_pending SELECT * FROM docshard.audit_pending",
            "UPDATE docshard.audit_pending SET content_hash = ''",
        ),
    }
    both = (
        "UPDATE docshard.audit_chain SET seq = seq",
        "DELETE FROM docshard.audit_chain",
        "UPDATE docshard.audit_logs SET action = action",
        "DELETE FROM docshard.audit_logs",
    )
    for role, statements in refused.items():
        async with shard.session(role) as session:
            for statement in (*statements, *both):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await session.execute(statement.encode())


async def test_the_worker_reaches_every_shard_and_the_global_log(chains: Chains) -> None:
    client_id = await chains.tenant(1)
    async with chains.fleet.global_db.session(APP) as session:
        await session.execute(
            "INSERT INTO docshard.audit_logs (id, action, entity_type, entity_id, content_hash)"
            " VALUES (gen_random_uuid(), 'user.create', 'user', %s, '')",
            [client_id],
        )
    await Linker(chains.worker, patience_seconds=30).run()
    assert len(await chains.chain(client_id)) == 1
    async with chains.fleet.global_db.session() as session:
        cursor = await session.execute("SELECT FROM docshard.audit_pending")
        assert await cursor.fetchall() == []
        cursor = await session.execute("SELECT seq FROM docshard.audit_chain")
        assert [row["seq"] for row in await cursor.fetchall()] == [1]


async def test_a_mover_waits_for_a_linker_as_for_any_writer(chains: Chains) -> None:
    client_id = await chains.tenant(1)
    async with chains.worker.registry.cluster("shard-1").write() as connection:
        assert await chain.link(connection, client_id, 10) == 1
        async with chains.fleet.shards["shard-1"].session() as mover:
            cursor = await mover.execute(
                "SELECT pg_try_advisory_lock(docshard.tenant_lock(%s)) AS taken", [client_id]
            )
            assert await cursor.fetchone() == {"taken": False}
