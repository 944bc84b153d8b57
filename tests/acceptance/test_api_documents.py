"""A document's life, as a tenant's developer meets it."""

import httpx
import pytest

from tests.acceptance.api import Tenant, make_tenant
from tests.acceptance.fleet import LocalFleet


def test_a_new_document_has_no_content_yet(tenant: Tenant) -> None:
    given = {
        "original_name": "naïve 😀.txt",
        "mime_type": "text/plain",
        "metadata": {"a": [1, None]},
    }
    answer = tenant.http.post(tenant.documents, json=given)
    assert answer.status_code == 201
    made = answer.json()
    assert {name: made[name] for name in given} == given
    assert (made["client_id"], made["current_version"]) == (tenant.id, 0)
    assert answer.headers["Location"] == tenant.path(made)
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Consistency-Token"]
    read = tenant.http.get(answer.headers["Location"])
    assert read.json() == made
    assert read.headers["ETag"] == answer.headers["ETag"]
    assert read.headers["Served-By"] == "primary"


@pytest.mark.parametrize(
    "metadata",
    [{"big": 2**63 - 1, "small": -(2**63)}, {"double": 1e300, "tiny": 5e-324}, {"": {"": []}}],
)
def test_metadata_come_back_as_they_were(tenant: Tenant, metadata: dict[str, object]) -> None:
    made = tenant.make_document(metadata=metadata)
    assert tenant.http.get(tenant.path(made)).json()["metadata"] == metadata


def test_a_repeated_post_makes_one_document(tenant: Tenant) -> None:
    """I2."""
    given = {"original_name": "once.txt", "mime_type": "text/plain", "metadata": {"n": 1.5}}
    headers = {"Idempotency-Key": "the same ~ key"}
    first, second = (tenant.http.post(tenant.documents, json=given, headers=headers) for _ in "ab")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    other = tenant.http.post(
        tenant.documents, json=given | {"original_name": "other.txt"}, headers=headers
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


def test_etags_tell_whether_it_changed(tenant: Tenant) -> None:
    path = tenant.path(tenant.make_document())
    etag = tenant.http.get(path).headers["ETag"]
    for tags in (etag, "*", f'"x", W/{etag}'):
        known = tenant.http.get(path, headers={"If-None-Match": tags})
        assert (known.status_code, known.content) == (304, b"")
        assert known.headers["ETag"] == etag
    assert tenant.http.get(path, headers={"If-None-Match": '"0"'}).status_code == 200


def test_a_change_needs_the_etag_that_was_read(tenant: Tenant) -> None:
    path = tenant.path(tenant.make_document())
    etag = tenant.http.get(path).headers["ETag"]

    def patch(**headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return tenant.http.patch(path, json={"original_name": "b.txt"}, headers=sent)

    assert patch().json()["code"] == "precondition_required"
    assert patch(If_Match=f"W/{etag}").json()["code"] == "precondition_failed"
    assert patch(If_Match="nonsense").json()["errors"][0]["pointer"] == "#If-Match"
    changed = patch(If_Match=f'"0", {etag}')
    assert (changed.status_code, changed.json()["original_name"]) == (200, "b.txt")
    assert changed.headers["ETag"] != etag
    stale = patch(If_Match=etag)
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")


def test_metadata_are_merged_as_rfc_7396_says(tenant: Tenant) -> None:
    path = tenant.path(tenant.make_document(metadata={"a": 1, "b": {"c": 2, "d": 3}}))
    changed = tenant.http.patch(
        path, json={"metadata": {"a": None, "b": {"c": [4]}}}, headers={"If-Match": "*"}
    )
    assert changed.json()["metadata"] == {"b": {"c": [4], "d": 3}}


def test_deleted_and_restored(tenant: Tenant) -> None:
    path = tenant.path(tenant.make_document())
    assert tenant.http.delete(path).json()["code"] == "precondition_required"
    deleted = tenant.http.delete(path, headers={"If-Match": '"1"'})
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert deleted.headers["Consistency-Token"]
    assert tenant.http.get(path).json()["code"] == "not_found"
    assert tenant.http.head(path).status_code == 404
    assert tenant.http.get(f"{path}?deleted=include").json()["deleted_at"] is not None
    assert tenant.http.patch(path, json={}, headers={"If-Match": "*"}).status_code == 404
    restored = tenant.http.post(f"{path}/restore")
    assert (restored.status_code, restored.json()["deleted_at"]) == (200, None)
    assert tenant.http.post(f"{path}/restore").json()["code"] == "conflict"
    assert tenant.http.head(path).headers["ETag"] == restored.headers["ETag"]


def test_lists_page_through_everything_once(fleet: LocalFleet, admin: httpx.Client) -> None:
    tenants = make_tenant(fleet, admin)
    tenant = next(tenants)
    made = [tenant.make_document(original_name=f"{number}.txt")["id"] for number in range(7)]
    gone = tenant.path({"id": made.pop(3)})
    tenant.http.delete(gone, headers={"If-Match": "*"})
    seen: list[str] = []
    address = f"{tenant.documents}?limit=2&mime_type=text/plain"
    while address:
        page = tenant.http.get(address)
        assert page.status_code == 200
        seen += [item["id"] for item in page.json()["items"]]
        link = page.headers.get("Link", "")
        assert bool(link) == (page.json()["next_cursor"] is not None)
        address = link.partition(">")[0].removeprefix("<")
    assert seen == made[::-1], "newest first"
    only = tenant.http.get(tenant.documents, params={"deleted": "only"}).json()
    assert [tenant.path(item) for item in only["items"]] == [gone]
    assert only["next_cursor"] is None
    tenants.close()


def test_every_change_is_audited_with_what_was_and_is(tenant: Tenant) -> None:
    """I5."""
    document = tenant.make_document(metadata={"a": 1})
    path = tenant.path(document)
    tenant.http.patch(
        path, json={"metadata": {"a": 2}}, headers={"If-Match": "*", "Request-Id": "audited-1"}
    )
    tenant.put(document, b"bytes")
    tenant.http.delete(path, headers={"If-Match": "*"})
    tenant.http.post(f"{path}/restore")
    logs = tenant.http.get(
        f"/v1/clients/{tenant.id}/audit-logs", params={"entity_id": document["id"]}
    ).json()["items"]
    assert [row["action"] for row in reversed(logs)] == [
        "document.create",
        "document.update",
        "version.create",
        "document.delete",
        "document.restore",
    ]
    update = logs[-2]
    assert update["changes"] == {"before": {"metadata": {"a": 1}}, "after": {"metadata": {"a": 2}}}
    assert (update["request_id"], update["ip_address"]) == ("audited-1", "127.0.0.1")
    assert update["entity_type"] == "document"
    assert "s3_key" not in str(logs)


def test_audit_logs_are_filtered_by_time_and_action(tenant: Tenant) -> None:
    address = f"/v1/clients/{tenant.id}/audit-logs"
    tenant.make_document()
    newest = tenant.http.get(address, params={"limit": 1}).json()["items"][0]
    until = {"to": newest["created_at"], "action": "document.create"}
    before = tenant.http.get(address, params=until).json()["items"]
    assert newest["id"] not in {row["id"] for row in before}
    since = tenant.http.get(address, params={"from": newest["created_at"]}).json()["items"]
    assert newest["id"] in {row["id"] for row in since}
    assert tenant.http.get(address, params={"from": "yesterday"}).json()["errors"] == [
        {
            "pointer": "?from",
            "message": "Must be an RFC 3339 time with a zone, such as 2026-01-31T12:00:00Z",
        }
    ]
