"""Whoever may do everything to a shard changes its audit log: verification finds it, and where."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.chain.heads import GLOBAL_CHAIN
from services.chain.verification import Extent, Pace, Report
from services.chain.walk import Fault
from services.fleet import audit_links, chain_doctor
from services.fleet.signing_rotation import SIGNINGS, rotate
from services.keys.material import Purpose
from tests.integration.chains import Chains
from tests.integration.postgres import ADMIN, APP
from tests.integration.tampering import TAMPERED, Tamper, edit, edit_leaf, insert, relink

pytestmark = pytest.mark.versions

ROWS = 24
PLACES = random.Random(19).sample(range(3, ROWS - 1), 3)


@pytest.fixture
def chains(chains: Chains) -> Chains:
    """Rows count as late at once: nobody writes meanwhile."""
    return replace(chains, pace=Pace(lag=timedelta(0)))


async def grown(chains: Chains) -> UUID:
    """A tenant whose chain was linked and signed in two parts."""
    client_id = await chains.tenant()
    for _ in range(2):
        for _ in range(ROWS // 2):
            await chains.note(client_id)
        await chains.link()
    await chains.sign()
    return client_id


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


async def test_the_doctor_sees_a_chain_that_is_not_what_was_signed(chains: Chains) -> None:
    """By the link that the head names alone; the chain that nobody touched is no finding."""
    whole, rewritten, cut = [await grown(chains) for _ in range(3)]
    await edit_leaf(chains, rewritten, 5)
    await relink(chains, rewritten, 5)
    await chains.sql("DELETE FROM docshard.audit_chain WHERE client_id = %s", cut)
    told = {
        one.subject: one.what
        for one in await chain_doctor.examine(chains.app)
        if one.subject in {f"client {client_id}" for client_id in (whole, rewritten, cut)}
    }
    wrong = f"its audit chain does not agree with the head signed at seq {ROWS}"
    assert told == {f"client {rewritten}": wrong, f"client {cut}": wrong}


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


async def test_heads_of_a_retired_key_still_vouch(chains: Chains) -> None:
    client_id = await grown(chains)
    before = chains.keyring.current(Purpose.AUDIT_HEADS).id
    async with chains.fleet.opened(ADMIN) as operator:
        await rotate(operator, chains.keyring, SIGNINGS["heads"], settle_seconds=0)
    await chains.note(client_id)
    await chains.link()
    report = await chains.verify(client_id)
    assert report.findings == []
    assert report.head is not None and (report.head.kid, report.head.seq) == (before, ROWS)
    await chains.sign()
    report = await chains.verify(client_id)
    assert report.head is not None and (report.head.kid != before, report.findings) == (True, [])


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


async def test_it_goes_on_where_it_stopped(chains: Chains) -> None:
    chains = replace(chains, pace=Pace(timedelta(0), links=5, places=7))
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
