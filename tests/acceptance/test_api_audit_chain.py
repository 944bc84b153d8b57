"""The chain through the API: rows get their place, the log verifies, changes can be followed."""

import threading
from itertools import pairwise
from typing import Any

import httpx
import pytest

from tests.acceptance.api import Tenant, connect, make_key, make_tenant
from tests.acceptance.fleet import LocalFleet, until


@pytest.fixture
def follower(fleet: LocalFleet, admin: httpx.Client) -> Any:
    yield from make_tenant(fleet, admin)


def changes(tenant: Tenant, **query: Any) -> dict[str, Any]:
    answer = tenant.http.get(f"/v1/clients/{tenant.id}/changes", params=query)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def seqs(tenant: Tenant) -> list[int | None]:
    answer = tenant.http.get(f"/v1/clients/{tenant.id}/audit-logs", params={"limit": 200})
    return [row["seq"] for row in answer.json()["items"]]


def test_every_row_gets_its_place_within_about_a_second(follower: Tenant) -> None:
    follower.put(follower.make_document(), b"abc")
    assert until(lambda: None not in seqs(follower)) < 10
    assert sorted(filter(None, seqs(follower))) == [1, 2]


def test_the_log_verifies(follower: Tenant) -> None:
    for _ in range(3):
        follower.make_document()
    until(lambda: None not in seqs(follower))
    answer = follower.http.get(f"/v1/clients/{follower.id}/audit-logs/verify")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["ok"], found["first_bad_seq"], found["checked"]) == (True, None, 3)
    assert found["head"]["seq"] == 3
    assert found["next_cursor"] is None
    later = {"from": "2020-01-01T00:00:00Z", "to": "2020-02-01T00:00:00Z"}
    outside = follower.http.get(f"/v1/clients/{follower.id}/audit-logs/verify", params=later)
    assert (outside.json()["ok"], outside.json()["checked"]) == (True, 0)


def test_following_page_by_page_sees_every_change_once(follower: Tenant) -> None:
    made = [follower.make_document()["id"] for _ in range(7)]
    until(lambda: None not in seqs(follower))
    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while len(seen) < len(made):
        page = changes(follower, limit=3, **cursor)
        assert page["items"], "a page behind which there is more is not empty here"
        seen += page["items"]
        cursor = {"cursor": page["next_cursor"]}
    assert [one["entity_id"] for one in seen] == made
    assert all(first["seq"] < second["seq"] for first, second in pairwise(seen))
    assert "ip_address" not in seen[0]
    assert changes(follower, **cursor)["items"] == []


def test_who_waits_is_told_of_the_next_change(follower: Tenant) -> None:
    cursor = changes(follower)["next_cursor"]
    found: list[dict[str, Any]] = []
    with connect_like(follower) as http:
        path = f"/v1/clients/{follower.id}/changes"
        waiting = threading.Thread(
            target=lambda: found.append(
                http.get(path, params={"cursor": cursor, "wait": 15}).json()
            )
        )
        waiting.start()
        document = follower.make_document()
        waiting.join()
    assert [one["entity_id"] for one in found[0]["items"]] == [document["id"]]


def connect_like(tenant: Tenant) -> httpx.Client:
    http = tenant.http
    return httpx.Client(base_url=http.base_url, headers=http.headers, timeout=30)


def test_reads_of_content_are_in_the_log_and_not_in_the_feed(follower: Tenant) -> None:
    document = follower.make_document()
    follower.put(document, b"abc")
    read = follower.http.get(f"{follower.path(document)}/content")
    assert read.status_code == 307
    until(lambda: len(seqs(follower)) == 3 and None not in seqs(follower))
    actions = [one["action"] for one in changes(follower)["items"]]
    assert actions == ["document.create", "version.create"]


def test_a_cursor_is_good_for_its_own_client_only(follower: Tenant, tenant: Tenant) -> None:
    cursor = changes(follower)["next_cursor"]
    answer = tenant.http.get(f"/v1/clients/{tenant.id}/changes", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")
    for wait in ("31", "-1", "x"):
        answer = tenant.http.get(f"/v1/clients/{tenant.id}/changes", params={"wait": wait})
        assert answer.status_code == 422


def test_changes_need_the_right_to_read_documents(
    fleet: LocalFleet, admin: httpx.Client, follower: Tenant
) -> None:
    key = make_key(admin, follower.id, ("audit:read",))["key"]
    with connect(fleet, key) as auditor:
        assert auditor.get(f"/v1/clients/{follower.id}/changes").status_code == 403
        assert auditor.get(f"/v1/clients/{follower.id}/audit-logs/verify").status_code == 200
