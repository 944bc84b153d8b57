"""Whoever may do everything to a shard changes its audit log: verification finds it, and where."""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.chain import hashing, verification
from services.chain.heads import GLOBAL_CHAIN
from services.chain.verification import Extent, Report
from services.chain.walk import Fault
from services.fleet import audit_links
from tests.integration.chains import Chains
from tests.integration.postgres import APP

pytestmark = pytest.mark.versions

ROWS = 24
PLACES = random.Random(19).sample(range(3, ROWS - 1), 3)


@pytest.fixture(autouse=True)
def no_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows count as late at once: nobody writes meanwhile."""
    monkeypatch.setattr(verification, "LAG", timedelta(0))


async def grown(chains: Chains) -> UUID:
    """A tenant whose chain was linked and signed in two parts."""
    client_id = await chains.tenant()
    for _ in range(2):
        for _ in range(ROWS // 2):
            await chains.note(client_id)
        await chains.link()
    await chains.sign()
    return client_id


async def row_at(chains: Chains, client: UUID, seq: int) -> tuple[UUID, UUID]:
    """The key of the row that a link names."""
    return client, (await chains.chain(client))[seq - 1]["audit_id"]


async def edit(chains: Chains, client: UUID, seq: int) -> None:
    await chains.sql(
        "UPDATE docshard.audit_logs SET user_id = gen_random_uuid()"
        " WHERE client_id = %s AND id = %s",
        *await row_at(chains, client, seq),
    )


async def rehash(chains: Chains, client: UUID) -> None:
    await chains.sql(
        "UPDATE docshard.audit_logs l SET content_hash = docshard.audit_content_hash(l)"
        " WHERE client_id = %s",
        client,
    )


async def edit_and_rehash(chains: Chains, client: UUID, seq: int) -> None:
    await edit(chains, client, seq)
    await rehash(chains, client)


async def edit_changes(chains: Chains, client: UUID, seq: int) -> None:
    await chains.sql(
        "UPDATE docshard.audit_logs SET changes = jsonb_set(changes, '{after,name}', '\"c\"')"
        " WHERE client_id = %s AND id = %s",
        *await row_at(chains, client, seq),
    )


async def remove_row(chains: Chains, client: UUID, seq: int) -> None:
    await chains.sql(
        "DELETE FROM docshard.audit_logs WHERE client_id = %s AND id = %s",
        *await row_at(chains, client, seq),
    )


async def remove_link(chains: Chains, client: UUID, seq: int) -> None:
    await chains.sql(
        "DELETE FROM docshard.audit_chain WHERE client_id = %s AND seq = %s", client, seq
    )


async def remove_both(chains: Chains, client: UUID, seq: int) -> None:
    await remove_row(chains, client, seq)
    await remove_link(chains, client, seq)


async def reorder(chains: Chains, client: UUID, seq: int) -> None:
    """Two links change places."""
    away = 10**9
    for first, second in ((seq, away), (seq + 1, seq), (away, seq + 1)):
        await chains.sql(
            "UPDATE docshard.audit_chain SET seq = %s WHERE client_id = %s AND seq = %s",
            *(second, client, first),
        )


async def edit_leaf(chains: Chains, client: UUID, seq: int) -> None:
    """The row, its hash and the link's leaf agree; the chain hash does not."""
    await edit_and_rehash(chains, client, seq)
    await chains.sql(
        "UPDATE docshard.audit_chain c SET content_hash = l.content_hash"
        "  FROM docshard.audit_logs l WHERE c.client_id = %s AND c.seq = %s"
        "   AND l.client_id = c.client_id AND l.id = c.audit_id",
        *(client, seq),
    )


async def edit_link(chains: Chains, client: UUID, seq: int) -> None:
    await chains.sql(
        "UPDATE docshard.audit_chain SET chain_hash = sha256(chain_hash)"
        " WHERE client_id = %s AND seq = %s",
        *(client, seq),
    )


Tamper = Callable[[Chains, UUID, int], Awaitable[None]]
TAMPERED: dict[Tamper, Fault] = {
    edit: Fault.CHANGED,
    edit_changes: Fault.CHANGED,
    edit_and_rehash: Fault.CHANGED,
    remove_row: Fault.MISSING,
    remove_link: Fault.REMOVED,
    remove_both: Fault.REMOVED,
    reorder: Fault.RELINKED,
    edit_leaf: Fault.RELINKED,
    edit_link: Fault.RELINKED,
}


def names(report: Report) -> set[tuple[int, Fault]]:
    return {(finding.seq, finding.fault) for finding in report.findings}


@pytest.mark.parametrize("tamper", TAMPERED, ids=lambda given: given.__name__)
async def test_the_first_bad_seq_is_named(chains: Chains, tamper: Tamper) -> None:
    for seq in PLACES:
        client_id = await grown(chains)
        whole = await chains.verify(client_id)
        assert (whole.findings, whole.checked) == ([], ROWS)
        await tamper(chains, client_id, seq)
        report = await chains.verify(client_id)
        assert report.first_bad_seq == seq
        assert (seq, TAMPERED[tamper]) in names(report)


async def insert(chains: Chains, client: UUID, like: int, at: datetime) -> None:
    """A row of the superuser's own making, past all triggers, complete with its hash."""
    await chains.sql(
        "INSERT INTO docshard.audit_logs (client_id, id, created_at, content_hash, action,"
        " entity_type, entity_id, changes) SELECT client_id, gen_random_uuid(), %s, content_hash,"
        " action, entity_type, entity_id, changes FROM docshard.audit_logs"
        " WHERE client_id = %s AND id = %s",
        *(at, *await row_at(chains, client, like)),
    )
    await rehash(chains, client)


@pytest.mark.parametrize("seq", PLACES)
async def test_an_inserted_row_is_found_at_its_place_in_time(chains: Chains, seq: int) -> None:
    client_id = await grown(chains)
    link = (await chains.chain(client_id))[seq - 1]
    await insert(chains, client_id, seq, link["audit_created_at"] - timedelta(microseconds=1))
    report = await chains.verify(client_id)
    assert names(report) == {(seq, Fault.INSERTED)}


async def test_a_row_dated_back_is_found_though_it_is_linked(chains: Chains) -> None:
    client_id = await grown(chains)
    async with chains.fleet.shards["shard-1"].session(APP) as session, session.transaction():
        await session.execute("SELECT docshard.enter_write(%s, 1)", [client_id])
        await session.execute(
            "INSERT INTO docshard.audit_logs (client_id, id, action, entity_type, entity_id,"
            " created_at, content_hash) VALUES (%s, gen_random_uuid(), 'document.update',"
            " 'document', %s, now() - interval '1 day', '')",
            [client_id, client_id],
        )
    await chains.link()
    assert names(await chains.verify(client_id)) == {(ROWS + 1, Fault.BACKDATED)}


async def test_a_row_that_waits_too_long_and_one_that_was_taken_from_the_queue(
    chains: Chains,
) -> None:
    client_id = await grown(chains)
    await chains.note(client_id)
    assert names(await chains.verify(client_id)) == {(ROWS + 1, Fault.UNLINKED)}
    await chains.sql("DELETE FROM docshard.audit_pending WHERE client_id = %s", client_id)
    assert names(await chains.verify(client_id)) == {(ROWS + 1, Fault.INSERTED)}


async def relink(chains: Chains, client: UUID, seq: int) -> None:
    """Recompute the whole chain from a link on, as somebody would who knows how it is made."""
    links = await chains.chain(client)
    previous = bytes(links[seq - 2]["chain_hash"])
    for link in links[seq - 1 :]:
        previous = hashing.extend(previous, link["seq"], bytes(link["content_hash"]))
        await chains.sql(
            "UPDATE docshard.audit_chain SET chain_hash = %s WHERE client_id = %s AND seq = %s",
            *(previous, client, link["seq"]),
        )


@pytest.mark.parametrize("seq", PLACES)
async def test_a_chain_that_was_made_anew_does_not_agree_with_its_head(
    chains: Chains, seq: int
) -> None:
    client_id = await grown(chains)
    await edit_leaf(chains, client_id, seq)
    await relink(chains, client_id, seq)
    # No head vouches for anything between the beginning and the one that was signed.
    assert names(await chains.verify(client_id)) == {(1, Fault.REWRITTEN)}
    await chains.note(client_id)
    await chains.link()
    assert await chains.sign() == 0, "what was rewritten is never vouched for"


@pytest.mark.parametrize("seq", PLACES)
async def test_a_truncated_chain_is_found(chains: Chains, seq: int) -> None:
    client_id = await grown(chains)
    await chains.sql(
        "DELETE FROM docshard.audit_logs l USING docshard.audit_chain c WHERE c.client_id = %s"
        " AND c.seq >= %s AND l.client_id = c.client_id AND l.id = c.audit_id",
        *(client_id, seq),
    )
    await chains.sql(
        "DELETE FROM docshard.audit_chain WHERE client_id = %s AND seq >= %s", client_id, seq
    )
    assert names(await chains.verify(client_id)) == {(seq, Fault.TRUNCATED)}
    # It may grow again to any length: the head does not fit.
    for _ in range(ROWS):
        await chains.note(client_id)
    await chains.link()
    assert names(await chains.verify(client_id)) == {(1, Fault.REWRITTEN)}
    assert await chains.sign() == 0


async def on_global(chains: Chains, statement: str, *values: Any) -> list[dict[str, Any]]:
    async with chains.fleet.global_db.session() as session:
        await session.execute("SET session_replication_role = replica")
        cursor = await session.execute(statement.encode(), values)
        return await cursor.fetchall() if cursor.description else []


async def test_a_forged_head_counts_for_nothing(chains: Chains) -> None:
    client_id = await grown(chains)
    await on_global(
        chains, "UPDATE docshard.audit_heads SET seq = 3 WHERE client_id = %s", client_id
    )
    report = await chains.verify(client_id)
    assert names(report) == {(3, Fault.FORGED_HEAD)}
    assert report.head is None


async def test_a_part_is_verified_between_heads(chains: Chains) -> None:
    """What lies outside is not looked at; what lies inside is found by its time."""
    client_id = await grown(chains)
    await chains.sql(
        "WITH older AS (UPDATE docshard.audit_chain SET"
        "  audit_created_at = audit_created_at - interval '1 day'"
        "  WHERE client_id = %s AND seq <= 12 RETURNING client_id, audit_id)"
        " UPDATE docshard.audit_logs l SET created_at = created_at - interval '1 day'"
        "   FROM older WHERE l.client_id = older.client_id AND l.id = older.audit_id",
        client_id,
    )
    since = datetime.now(UTC) - timedelta(hours=1)
    report = await chains.verify(client_id, Extent(since=since))
    assert (report.findings, report.checked) == ([], 12)
    report = await chains.verify(client_id, Extent(until=since))
    assert report.first_bad_seq == 1
    assert report.checked == ROWS, "the head that covers the part is the last one"


async def test_it_goes_on_where_it_stopped(chains: Chains, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "_LINKS", 5)
    monkeypatch.setattr(verification, "_PLACES", 7)
    client_id = await grown(chains)
    await edit(chains, client_id, 17)
    position, found, turns = None, set(), 0
    while position is not None or turns == 0:
        report = await chains.verify(client_id, position=position, seconds=0)
        found |= names(report)
        position, turns = report.position, turns + 1
    assert found == {(17, Fault.CHANGED)}
    assert turns == 5 + 4


async def test_the_global_log_has_the_same(chains: Chains) -> None:
    async with chains.fleet.global_db.session(APP) as session:
        for number in range(10):
            await session.execute(
                "INSERT INTO docshard.audit_logs (id, client_id, action, entity_type, entity_id,"
                " changes, reason, ip_address, content_hash) VALUES (gen_random_uuid(), NULL,"
                " 'user.create', 'user', gen_random_uuid(), '{\"n\": 1.50}', %s, '::ffff:1.2.3.4',"
                " '')",
                [f"because {number} €"],
            )
    assert await audit_links.link_global(chains.worker.global_db) >= 10
    await chains.sign()
    report = await chains.verify(GLOBAL_CHAIN)
    assert report.findings == []
    assert report.head is not None and report.head.seq == report.checked >= 10
    await on_global(
        chains,
        "UPDATE docshard.audit_logs SET reason = 'another' WHERE id ="
        " (SELECT audit_id FROM docshard.audit_chain WHERE seq = 4)",
    )
    assert names(await chains.verify(GLOBAL_CHAIN)) == {(4, Fault.CHANGED)}
