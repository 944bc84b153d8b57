"""Walking all pages gives exactly what a naive model gives: each once, in order."""

import random
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from shards.document_query import Bounds, Deleted, DocumentFilter, Place, Sort, chosen
from shards.documents import Document
from shards.search import Search
from shards.tenants import TenantRead
from tests.integration.databases import ShardDatabase
from tests.integration.library import reader, reading
from tests.integration.scene import refusal

pytestmark = pytest.mark.versions

WORDS = ("report", "raport", "Quarterly", "quartely", "a", "été", "契約", "😀", "100%", "_", "o'x")
START = datetime(2026, 1, 1, tzinfo=UTC)
# So small that every way is taken, and every slice comes to its end within a few documents.
TIGHT = Bounds(probe=3, walk=5, first=4, named=4, matches=6, ranked=5, sliced=5, common=2, dense=1)
ROOMY = Bounds()
INSERT = """
    INSERT INTO docshard.documents (client_id, id, original_name, mime_type, metadata, created_at,
           created_by, updated_at, deleted_at)
    VALUES (%(client)s, %(id)s, %(name)s, %(mime_type)s, %(metadata)s, %(created)s, %(client)s,
            %(updated)s, %(deleted)s)
"""
LIKENESS = """
    SELECT id, original_name ILIKE ALL (%(patterns)s) AS strict,
           word_similarity(%(q)s, original_name) AS part, similarity(%(q)s, original_name) AS whole
      FROM docshard.documents WHERE client_id = %(client)s
"""


@dataclass(frozen=True)
class Tenant:
    """A tenant with a few dozen documents, and its reads."""

    shard: ShardDatabase
    client: UUID
    reads: TenantRead
    dice: random.Random

    async def file(self, count: int) -> None:
        dice = self.dice
        async with self.shard.session() as superuser:
            await superuser.execute("SET session_replication_role = replica")
            for _ in range(count):
                # Few moments and names: many are equal, and the id decides.
                created = START + timedelta(days=dice.randrange(6))
                row = {
                    "client": self.client,
                    "id": uuid4(),
                    "name": " ".join(dice.choices(WORDS, k=dice.randrange(1, 3))),
                    "mime_type": dice.choice(("text/plain", "image/png")),
                    "metadata": Jsonb({"a": dice.randrange(3), "b": {"c": [dice.randrange(2)]}}),
                    "created": created,
                    "updated": created + timedelta(days=dice.randrange(3)),
                    "deleted": created if dice.random() < 0.3 else None,
                }
                await superuser.execute(INSERT, row)

    async def everything(self) -> list[Document]:
        async with self.shard.session() as superuser:
            cursor = await superuser.execute(
                "SELECT * FROM docshard.documents WHERE client_id = %s", [self.client]
            )
            return [Document(**row) for row in await cursor.fetchall()]

    async def likeness(self, wanted: DocumentFilter) -> dict[UUID, dict[str, Any]]:
        values = {"q": wanted.q, "client": self.client}
        patterns = [f"%{word}%" for word in wanted.words]
        async with self.shard.session() as superuser:
            cursor = await superuser.execute(LIKENESS, values | {"patterns": patterns})
            return {row["id"]: row for row in await cursor.fetchall()}


@pytest.fixture
async def tenant(
    module_shard: ShardDatabase, request: pytest.FixtureRequest
) -> AsyncIterator[Tenant]:
    async with await reading(module_shard) as session:
        client = await module_shard.admit()
        seed = getattr(request, "param", 0)
        made = Tenant(module_shard, client, reader(session, client), random.Random(seed))
        await made.file(made.dice.choice((0, 1, 8, 40)))
        yield made


def any_filter(dice: random.Random) -> DocumentFilter:
    deletions: tuple[Deleted, ...] = get_args(Deleted)

    def perhaps(value: Any) -> Any:
        return value if dice.random() < 0.4 else None

    return DocumentFilter(
        deleted=dice.choice(deletions),
        mime_type=perhaps("text/plain"),
        q=perhaps(" ".join(dice.choices(WORDS, k=dice.randrange(1, 3)))),
        metadata=perhaps(dice.choice([{"a": 1}, {"b": {"c": [0]}}, {"b": {}}, {"z": 1}])),
        created_after=perhaps(START + timedelta(days=1)),
        created_before=perhaps(START + timedelta(days=4)),
    )


def beginnings(text: str) -> set[str]:
    """The first six letters of each word, and what is left of them without one."""
    words = [word for word in re.findall(r"[^\W_]{4,}", text.lower()) if not word.isdigit()]
    return {w[:6][:place] + w[:6][place + 1 :] for w in words for place in range(len(w[:6]) + 1)}


async def model(tenant: Tenant, wanted: DocumentFilter, sort: Sort) -> list[UUID]:
    likeness = await tenant.likeness(wanted) if wanted.q is not None else {}
    begun = beginnings(wanted.q or "")

    def belongs(document: Document) -> bool:
        deleted = document.deleted_at is not None
        after, before = wanted.created_after, wanted.created_before
        metadata = document.metadata
        return (
            (wanted.deleted == "include" or deleted == (wanted.deleted == "only"))
            and wanted.mime_type in (None, document.mime_type)
            and (wanted.q is None or named(document))
            and (after is None or document.created_at >= after)
            and (before is None or document.created_at < before)
            and (
                wanted.metadata is None
                or wanted.metadata in ({"a": metadata["a"]}, {"b": metadata["b"]}, {"b": {}})
            )
        )

    def named(document: Document) -> bool:
        row = likeness[document.id]
        if not wanted.words:
            return str(wanted.q) in document.original_name
        alike = row["part"] >= 0.4 and not begun.isdisjoint(beginnings(document.original_name))
        return bool(row["strict"]) or alike

    def key(document: Document) -> Any:
        if sort != "relevance":
            return getattr(document, sort.removeprefix("-")), document.id
        row = likeness[document.id]
        score = row["strict"], round(row["part"] * 1000), round(row["whole"] * 999)
        return score, document.id

    found = filter(belongs, await tenant.everything())
    descending = sort.startswith("-") or sort == "relevance"
    return [document.id for document in sorted(found, key=key, reverse=descending)]


async def walked(tenant: Tenant, wanted: DocumentFilter, sort: Sort, bounds: Bounds) -> list[UUID]:
    seen: list[UUID] = []
    place: Place | None = None
    search = Search(tenant.reads, wanted, sort, tenant.dice.randrange(1, 8), bounds)
    for _ in range(500):
        page = await search.page(place)
        assert len(page.documents) <= search.limit
        seen += [document.id for document in page.documents]
        place = page.next
        if place is None:
            return seen
    raise AssertionError("the list does not end")


@pytest.mark.parametrize("tenant", range(6), indirect=True)
async def test_walking_all_pages(tenant: Tenant) -> None:
    sorts: tuple[Sort, ...] = get_args(Sort)
    for _ in range(16):
        wanted, asked = any_filter(tenant.dice), tenant.dice.choice((None, *sorts))
        if asked == "relevance" and wanted.q is None:
            asked = None
        sort = chosen(wanted, asked)
        expected = await model(tenant, wanted, sort)
        assert await walked(tenant, wanted, sort, ROOMY) == expected, (wanted, sort)
        tight = await walked(tenant, wanted, sort, TIGHT)
        if sort == "relevance":
            # Ranked slice by slice, but complete.
            assert sorted(tight) == sorted(expected), wanted
        else:
            assert tight == expected, (wanted, sort)


async def test_inserts_shift_no_page(tenant: Tenant) -> None:
    tenant.dice.seed(1)
    await tenant.file(40)
    for wanted in (DocumentFilter(), DocumentFilter(q="report"), DocumentFilter(metadata={"a": 1})):
        for bounds in (TIGHT, ROOMY):
            sort = chosen(wanted, None)
            there = await model(tenant, wanted, sort)
            search = Search(tenant.reads, wanted, sort, 3, bounds)
            seen: list[UUID] = []
            page = await search.page(None)
            while True:
                seen += [document.id for document in page.documents]
                if page.next is None:
                    break
                await tenant.file(1)
                page = await search.page(page.next)
            assert len(set(seen)) == len(seen)
            assert set(there) <= set(seen)


async def test_the_search_function_serves_the_tenant_that_was_entered(tenant: Tenant) -> None:
    await tenant.file(5)
    match = "SELECT docshard.match_documents(%s, '{%%report%%}', NULL, NULL, 100) AS found"
    stranger = await tenant.shard.admit()
    async with tenant.shard.session("docshard_app") as app:
        for attempt in (tenant.client, None):
            with refusal("DS007"):
                await app.execute(match, [attempt])
        async with app.transaction():
            await app.execute("SELECT docshard.enter(%s, 1)", [stranger])
            found = await (await app.execute(match, [stranger])).fetchone()
            assert found == {"found": []}
            with refusal("DS007"):
                await app.execute(match, [tenant.client])


async def test_the_first_search_of_a_session_forgives_typing_errors(tenant: Tenant) -> None:
    """The threshold is a setting of a library that this session has not loaded yet."""
    async with tenant.shard.session("docshard_app") as app:
        await app.execute("SELECT docshard.enter(%s, 1)", [tenant.client])
        cursor = await app.execute(
            "SELECT docshard.match_documents(e, NULL, 'raport', NULL, 100) AS found"
            " FROM docshard.enter(%s, 1) AS e",
            [tenant.client],
        )
        row = await cursor.fetchone()
    names = {document.id: document.original_name for document in await tenant.everything()}
    assert row is not None
    assert {names[found] for found in row["found"]} >= {n for n in names.values() if n == "report"}


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("raport", True),
        ("reprt", True),
        ("rrreport", False),
        ("reeport", True),
        ("erport", True),
        ("xeport", True),
        ("report2026", True),
        ("raprot", False),
        ("repo", False),
    ],
)
async def test_words_that_begin_alike_share_a_beginning(
    module_shard: ShardDatabase, typed: str, found: bool
) -> None:
    async with module_shard.session("docshard_app") as app:
        cursor = await app.execute(
            "SELECT docshard.beginnings('Annual Report') && docshard.beginnings(%s) AS found",
            [typed],
        )
        assert await cursor.fetchone() == {"found": found}


async def test_tenants_whose_keys_coincide_do_not_find_each_other(tenant: Tenant) -> None:
    """I4: keys hold but the end of a tenant's id."""
    tenant.dice.seed(2)
    await tenant.file(40)
    first = (tenant.client.int >> 40) ^ (1 << 60)
    twin = replace(tenant, client=UUID(int=first << 40 | tenant.client.int & (1 << 40) - 1))
    async with tenant.shard.session("docshard_app") as app:
        await app.execute("SELECT docshard.admit(%s, 1)", [twin.client])
        twin = replace(twin, reads=reader(app, twin.client))
        await twin.file(40)
        for each in (tenant, twin):
            for wanted in (DocumentFilter(q="report"), DocumentFilter(q="quartely a")):
                expected = await model(each, wanted, "relevance")
                tight = await walked(each, wanted, "relevance", TIGHT)
                assert sorted(tight) == sorted(expected)
                assert await walked(each, wanted, "relevance", ROOMY) == expected
