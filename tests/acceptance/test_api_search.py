"""Finding documents, as a tenant's developer does."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from docshard_client import Docshard
from tests.acceptance.api import Tenant, make_tenant
from tests.acceptance.fleet import LocalFleet

NAMES = (
    "quarterly report 2026.pdf",
    "Quarterly Report draft.pdf",
    "invoice 100%.txt",
    "under_score.txt",
    'o\'brien "quoted".txt',
    "naïve 😀.txt",
    "契約書 2026.pdf",
    "zebra.txt",
)


@pytest.fixture(scope="module")
def library(fleet: LocalFleet, admin: httpx.Client) -> Any:
    tenants = make_tenant(fleet, admin)
    tenant = next(tenants)
    for number, name in enumerate(NAMES):
        mime_type = "application/pdf" if name.endswith(".pdf") else "text/plain"
        metadata = {"number": number, "even": number % 2 == 0, "tags": ["all", f"t{number}"]}
        tenant.make_document(original_name=name, mime_type=mime_type, metadata=metadata)
    yield tenant
    tenants.close()


def found(tenant: Tenant, **query: str) -> list[str]:
    answer = tenant.http.get(tenant.documents, params=query)
    assert answer.status_code == 200, answer.text
    return [item["original_name"] for item in answer.json()["items"]]


@pytest.mark.parametrize(
    ("q", "best"),
    [
        ("quarterly report 2026.pdf", NAMES[0]),
        ("QUARTERLY report draft", NAMES[1]),
        ("quartely raport 2026", NAMES[0]),
        ("invocie", NAMES[2]),
        ("zebar", NAMES[7]),
        ("100%", NAMES[2]),
        ("under_score", NAMES[3]),
        ("o'brien", NAMES[4]),
        ('"quoted"', NAMES[4]),
        ("😀", NAMES[5]),
        ("naïve 😀", NAMES[5]),
        ("契約書", NAMES[6]),
        ("ze", NAMES[7]),
        ("z", NAMES[7]),
        ("%", NAMES[2]),
        ("_", NAMES[3]),
        ("'", NAMES[4]),
    ],
)
def test_names_are_found_best_first(library: Tenant, q: str, best: str) -> None:
    assert found(library, q=q)[0] == best


@pytest.mark.parametrize(
    "q", ["\\", "\\\\", "%%%", "'; DROP TABLE documents; --😀", "🦓", "nowhere"]
)
def test_what_is_in_no_name(library: Tenant, q: str) -> None:
    assert found(library, q=q) == []


def test_filters_narrow_each_other(library: Tenant) -> None:
    assert found(library, q="2026", mime_type="text/plain") == []
    assert found(library, q="2026", metadata='{"even": true}', sort="original_name") == [
        NAMES[0],
        NAMES[6],
    ]
    assert found(library, metadata='{"tags": ["t7"]}') == [NAMES[7]]
    assert found(library, metadata="{}") == list(NAMES[::-1])
    assert found(library, q="zebra", deleted="only") == []


def test_orders(library: Tenant) -> None:
    assert found(library, sort="original_name") == sorted(NAMES)
    assert found(library, sort="-original_name") == sorted(NAMES, reverse=True)
    assert found(library, sort="created_at") == list(NAMES)
    assert found(library) == list(NAMES[::-1])


def test_created_after_is_inclusive_and_created_before_exclusive(library: Tenant) -> None:
    items = library.http.get(library.documents, params={"sort": "created_at"}).json()["items"]
    times = [item["created_at"] for item in items]
    window = found(library, created_after=times[2], created_before=times[5], sort="created_at")
    assert window == list(NAMES[2:5])


def test_pages_of_a_search_join(library: Tenant) -> None:
    for query in ({"q": "report"}, {"sort": "-original_name", "q": "txt"}, {"metadata": "{}"}):
        whole = found(library, **query)
        pieces: list[str] = []
        address = str(httpx.URL(library.documents, params={**query, "limit": "1"}))
        while address:
            page = library.http.get(address)
            pieces += [item["original_name"] for item in page.json()["items"]]
            address = page.headers.get("Link", "").partition(">")[0].removeprefix("<")
        assert pieces == whole


def test_a_cursor_belongs_to_its_search(library: Tenant) -> None:
    page = library.http.get(library.documents, params={"q": "2026", "limit": 1}).json()
    for other in ({"q": "report"}, {"q": "2026", "sort": "created_at"}, {}):
        answer = library.http.get(
            library.documents, params={**other, "cursor": page["next_cursor"]}
        )
        assert answer.json()["code"] == "invalid_cursor"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("q", ""),
        ("q", "x" * 256),
        ("q", "a\x00b"),
        ("q", "a\nb"),
        ("metadata", ""),
        ("metadata", "{"),
        ("metadata", "[]"),
        ("metadata", '{"a": NaN}'),
        ("metadata", '{"a": "\\u0000"}'),
        ("metadata", '{"a": 9223372036854775808}'),
        ("metadata", "[" * 2000),
        ("metadata", '{"a": "' + "x" * 5000 + '"}'),
        ("sort", "size"),
        ("sort", "relevance"),
        ("created_after", "yesterday"),
        ("created_before", "2026-01-01"),
        ("deleted", "yes"),
        ("colour", "red"),
    ],
)
def test_bad_parameters_are_refused_by_pointer(library: Tenant, name: str, value: str) -> None:
    answer = library.http.get(library.documents, params={name: value})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert [one["pointer"] for one in answer.json()["errors"]] == [f"?{name}"]


def test_the_sdk_searches(fleet: LocalFleet, library: Tenant) -> None:
    key = library.http.headers["Authorization"].removeprefix("Bearer ")
    with Docshard(fleet.api, key) as api:
        names = [
            document.original_name
            for document in api.list_documents(UUID(library.id), q="quartely", limit=1)
        ]
    assert set(names) == set(NAMES[:2])
