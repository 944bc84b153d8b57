"""Every combination of filters and orders reaches documents through an index, by the tenant."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any, get_args

import pytest

from shards.document_query import Deleted, DocumentFilter, Sort
from shards.search import Search
from tests.integration.explaining import Explaining, nodes
from tests.integration.library import Shelf, reader, reading, shelf
from tests.integration.postgres import Postgres

pytestmark = pytest.mark.versions

SMALL, BIG = (60_000, 20, 0.5), (1_000_000, 200, 0.2)
NAMES = (None, "report", "raport", "certifcate tovel", "b", "%")
METADATA = (None, {"project": "p9999"}, {"signed": True}, {"era": "first"})
MIME_TYPES = (None, "audio/flac")
WHEN = (None, datetime(2025, 3, 1, tzinfo=UTC))
PLANS = ("auto", "force_generic_plan")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(SMALL, id="small"),
        pytest.param(BIG, id="big", marks=pytest.mark.torture),
    ],
)
def books(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[Shelf]:
    size, tenants, largest = request.param
    with shelf(postgres, size, tenants, largest) as made:
        yield made


def combinations() -> Iterator[tuple[DocumentFilter, Sort]]:
    """All of them, dates alternating between both ends."""
    sorts: tuple[Sort, ...] = get_args(Sort)
    deletions: tuple[Deleted, ...] = get_args(Deleted)
    for q, metadata, mime_type, since, deleted, sort in product(
        NAMES, METADATA, MIME_TYPES, WHEN, deletions, sorts
    ):
        if sort != "relevance" or (q is not None and q != "%"):
            yield (
                DocumentFilter(deleted, mime_type, q, metadata, since, None),
                sort,
            )


@pytest.mark.parametrize("plans", PLANS)
async def test_every_combination_goes_through_an_index(books: Shelf, plans: str) -> None:
    before = books.scans()
    async with await reading(books.shard) as session:
        await session.execute(f"SET plan_cache_mode = {plans}")
        # Other ones for other plans: on the big shard together all, a fair part on the small one.
        step = len(PLANS) if books.size > SMALL[0] else 13
        for wanted, sort in list(combinations())[PLANS.index(plans) :: step]:
            for client_id in (books.clients[0], books.clients[-1]):
                search = Search(reader(session, client_id), wanted, sort, 50)
                first = await search.page(None)
                if first.next is not None and client_id == books.clients[0]:
                    await search.page(first.next)
            check(session)
            session.plans.clear()
    after = books.scans()
    assert after[0] == before[0], "a sequential scan, somewhere"
    assert after[1] > before[1] and after[2] > before[2], "the GIN indexes were of use"


def check(session: Explaining) -> None:
    for node in session.scans():
        if node["Relation Name"] == "documents":
            assert node["Node Type"] in {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}, node
            condition = node.get("Index Cond") or node["Recheck Cond"]
            assert "client_id" in condition, node


async def test_an_unfiltered_page_is_read_in_its_order(books: Shelf) -> None:
    sorts = [sort for sort in get_args(Sort) if sort != "relevance"]
    async with await reading(books.shard) as session:
        for sort, deleted in product(sorts, get_args(Deleted)):
            for when in WHEN if "created" in sort else (None,):
                wanted = DocumentFilter(deleted, created_after=when)
                await Search(reader(session, books.clients[0]), wanted, sort, 50).page(None)
        limits = [n for plan in session.plans for n in nodes(plan) if n["Node Type"] == "Limit"]
        innermost = [n for n in limits if n["Plans"][0]["Node Type"] != "Merge Append"]
        assert limits and all(not _sorts_much(node) for node in innermost)


def _sorts_much(limit: dict[str, Any]) -> bool:
    """Whether more is sorted than a page."""
    return any(n["Node Type"] == "Sort" and n["Plan Rows"] > 1000 for n in nodes(limit))
