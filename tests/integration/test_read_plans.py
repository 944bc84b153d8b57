"""Reads enter inside their own statement: right rows, refusals and indexes over all table sizes."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from itertools import combinations
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa

from global_db.audit_walk import AuditFilter, AuditPosition
from global_db.connection import Prelude, ReadConnection
from global_db.directory import Placement
from global_db.statement import read
from shards import audit_pages, documents, versions
from shards.document_query import DocumentFilter
from shards.residency import Fenced, NotResident, StaleEpoch, refusals
from shards.search import Search
from shards.tenants import TenantRead
from tests.integration.crowd import ACTIONS, MIME_TYPES, Crowd, newest_first
from tests.integration.explaining import Explaining
from tests.integration.library import reading
from tests.integration.moving import set_state

pytestmark = pytest.mark.versions

PAGE = 25
CARELESS = """
    SELECT d.client_id FROM docshard.enter(%(client)s, 1) AS e
      JOIN LATERAL (SELECT * FROM docshard.documents WHERE client_id = %(named)s) AS d ON true
"""


@pytest.fixture
async def session(crowd: Crowd) -> AsyncIterator[Explaining]:
    async with await reading(crowd.shard) as connection:
        connection.prepare_threshold = 1
        yield connection


def reader(
    session: Explaining, client_id: UUID, epoch: int = 1, life: int | None = None
) -> TenantRead:
    """Reads in any life of the server, or in this one."""
    placement = Placement(client_id, "shard-1", epoch, "active")
    prelude = None if life is None else Prelude(read(sa.select()), {}, life)
    return TenantRead(ReadConnection(session, prelude), placement)


def tenants(crowd: Crowd) -> Iterator[UUID]:
    """The largest, and a small one."""
    yield crowd.clients[0]
    yield crowd.clients[3]


async def test_one_document(session: Explaining, crowd: Crowd) -> None:
    for client_id in tenants(crowd):
        reads = reader(session, client_id)
        rows = await crowd.rows("documents", client_id)
        for row in rows[:8]:
            assert await documents.get(reads, row["id"]) == documents.Document(**row)
        assert await documents.get(reads, uuid4()) is None
        for foreign in (await crowd.rows("documents", crowd.clients[1]))[:2]:
            assert await documents.get(reads, foreign["id"]) is None
    crowd.check(session)


async def test_one_document_by_a_plan_for_any_tenant(session: Explaining, crowd: Crowd) -> None:
    await session.execute("SET plan_cache_mode = force_generic_plan")
    await test_one_document(session, crowd)


async def test_one_document_in_a_life_of_the_server(session: Explaining, crowd: Crowd) -> None:
    row = await (await session.execute("SELECT docshard.life() AS life")).fetchone()
    life = row["life"] if row else 0
    for client_id in tenants(crowd):
        for row in (await crowd.rows("documents", client_id))[:4]:
            found = await documents.get(reader(session, client_id, life=life), row["id"])
            assert found == documents.Document(**row)
        with pytest.raises(StaleEpoch), refusals():
            await documents.get(reader(session, client_id, 2, life), uuid4())
    crowd.check(session)
    with pytest.raises(psycopg.DatabaseError, match="restarted"):
        await documents.get(reader(session, crowd.clients[0], life=life + 1), uuid4())


async def test_versions(session: Explaining, crowd: Crowd) -> None:
    for client_id in tenants(crowd):
        reads = reader(session, client_id)
        rows = await crowd.rows("document_versions", client_id)
        for row in rows[:4]:
            document_id = row["document_id"]
            found = await versions.get(reads, document_id, row["version_number"])
            assert found == versions.Version(**row)
            assert await versions.get(reads, document_id, 3) is None
            pages = [await versions.newest(reads, document_id, at, PAGE) for at in (None, 2, 1)]
            numbers = [[version.version_number for version in page] for page in pages]
            assert numbers == [[2, 1], [1], []]
    crowd.check(session)


async def test_pages_of_the_audit_log(session: Explaining, crowd: Crowd) -> None:
    for client_id in tenants(crowd):
        rows = newest_first(await crowd.rows("audit_logs", client_id))
        middle = rows[len(rows) // 2] if rows else None
        for wanted in filters(crowd, middle):
            for start in (None, middle):
                position = AuditPosition(start["created_at"], start["id"]) if start else None
                reads = reader(session, client_id)
                page = await audit_pages.newest(reads, wanted, position, PAGE)
                found = [row["id"] for row in rows if matches(wanted, start, row)]
                assert [entry.id for entry in page.rows] == found[: len(page.rows)], wanted
                # A page is full, or the last, or it looked at as many rows as a page may.
                assert len(page.rows) in {PAGE, len(found)} or page.end is not None
                assert all(entry.seq is not None for entry in page.rows)
    crowd.check(session)


def filters(crowd: Crowd, middle: dict[str, Any] | None) -> Iterator[AuditFilter]:
    """None, each, every pair, and all of them."""
    moment = middle["created_at"] if middle else None
    given: dict[str, Any] = {
        "user_id": crowd.clients[1],
        "action": ACTIONS[1],
        "entity_type": MIME_TYPES[0],
        "entity_id": crowd.clients[2],
        "since": moment and moment - timedelta(hours=1),
        "until": moment and moment + timedelta(hours=1),
    }
    for number in (0, 1, 2, len(given)):
        for names in combinations(given, number):
            yield AuditFilter(**{name: given[name] for name in names})


def matches(wanted: AuditFilter, start: dict[str, Any] | None, row: dict[str, Any]) -> bool:
    at = row["created_at"]
    equal = ("user_id", "action", "entity_type", "entity_id")
    return (
        all(getattr(wanted, name) in (None, row[name]) for name in equal)
        and (wanted.since is None or at >= wanted.since)
        and (wanted.until is None or at < wanted.until)
        and (start is None or (at, row["id"]) < (start["created_at"], start["id"]))
    )


async def test_refusals(session: Explaining, crowd: Crowd) -> None:
    client_id = await crowd.shard.admit()
    for epoch, stranger in ((2, client_id), (1, uuid4())):
        await refused(session, stranger, epoch, StaleEpoch if epoch == 2 else NotResident)
    async with crowd.shard.session() as mover:
        for state, error in (
            ("importing", NotResident),
            ("fenced", Fenced),
            ("gone", NotResident),
        ):
            await set_state(mover, client_id, state)
            await refused(session, client_id, 1, error)


async def refused(session: Explaining, client_id: UUID, epoch: int, error: type[Exception]) -> None:
    reads = reader(session, client_id, epoch)
    for attempt in (
        documents.get(reads, uuid4()),
        Search(reads, DocumentFilter(), "-created_at", PAGE).page(None),
        Search(reads, DocumentFilter(q="file"), "relevance", PAGE).page(None),
        Search(reads, DocumentFilter(metadata={"a": 1}), "original_name", PAGE).page(None),
        versions.get(reads, uuid4(), 1),
        versions.newest(reads, uuid4(), None, PAGE),
        audit_pages.newest(reads, AuditFilter(), None, PAGE),
        audit_pages.newest(reads, AuditFilter(user_id=uuid4()), None, PAGE),
    ):
        with pytest.raises(error), refusals():
            await attempt


async def test_a_read_that_names_the_tenant_by_itself_sees_nothing(
    session: Explaining, crowd: Crowd
) -> None:
    """A parameter where `entered` belongs: the wall stands, and may hide the tenant's own rows."""
    for client_id in tenants(crowd):
        for named, seen in ((client_id, {client_id}), (crowd.clients[1], set())):
            cursor = await session.execute(CARELESS, {"client": client_id, "named": named})
            assert {row["client_id"] for row in await cursor.fetchall()} <= seen
