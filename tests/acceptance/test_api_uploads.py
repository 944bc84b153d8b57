"""Uploads, promotion, purge and batches, as a tenant's program meets them."""

import hashlib
import os
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.api import Tenant, connect, make_key
from tests.acceptance.fleet import LocalFleet, until

MIB = 1024**2


def announced(content: bytes) -> dict[str, Any]:
    return {"size": len(content), "checksum_sha256": hashlib.sha256(content).hexdigest()}


def send(upload: dict[str, Any], content: bytes) -> None:
    with httpx.Client(timeout=60) as http:
        if upload["upload"]:
            request = upload["upload"]
            answer = http.request(
                request["method"], request["url"], headers=request["headers"], content=content
            )
            assert answer.status_code == 200, answer.text
        for part in upload["parts"]:
            piece = content[part["first"] : part["first"] + part["size"]]
            answer = http.request(
                part["method"], part["url"], headers=part["headers"], content=piece
            )
            assert answer.status_code == 200, answer.text


def uploaded(tenant: Tenant, document: dict[str, Any], content: bytes) -> dict[str, Any]:
    uploads = f"{tenant.path(document)}/uploads"
    begun = tenant.http.post(uploads, json=announced(content))
    assert begun.status_code == 201, begun.text
    send(begun.json(), content)
    done = tenant.http.post(f"{uploads}/{begun.json()['upload_id']}/complete")
    assert done.status_code == 201, done.text
    version: dict[str, Any] = done.json()
    return version


@pytest.mark.parametrize("size", [10, 65 * MIB])
def test_a_file_goes_straight_to_storage(tenant: Tenant, size: int) -> None:
    """I8."""
    content = os.urandom(size)
    document = tenant.make_document()
    version = uploaded(tenant, document, content)
    assert (version["version_number"], version["size"]) == (1, size)
    path = f"{tenant.path(document)}/content"
    given = httpx.get(tenant.http.get(path).headers["Location"], timeout=60)
    assert given.content == content


def test_a_document_may_be_made_with_its_upload(tenant: Tenant) -> None:
    body = {"original_name": "b.txt", "mime_type": "text/plain", **announced(b"hello")}
    made = tenant.http.post(tenant.documents, json=body)
    assert made.status_code == 201, made.text
    document = made.json()
    upload = document.pop("upload")
    assert tenant.http.get(made.headers["Location"]).json() == document
    send(upload, b"hello")
    complete = f"{tenant.path(document)}/uploads/{upload['upload_id']}/complete"
    first, second = tenant.http.post(complete), tenant.http.post(complete)
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert tenant.http.get(first.headers["Location"]).json() == first.json()
    alone = tenant.http.post(tenant.documents, json={**body, "size": None})
    assert alone.json()["code"] == "invalid_request"


def test_an_upload_that_is_not_there_yet_and_one_that_is_given_up(tenant: Tenant) -> None:
    document = tenant.make_document()
    uploads = f"{tenant.path(document)}/uploads"
    upload = f"{uploads}/{tenant.http.post(uploads, json=announced(b'x')).json()['upload_id']}"
    early = tenant.http.post(f"{upload}/complete")
    assert (early.status_code, early.json()["code"]) == (409, "upload_incomplete")
    assert tenant.http.delete(upload).status_code == 204
    late = tenant.http.post(f"{upload}/complete")
    assert (late.status_code, late.json()["code"]) == (409, "upload_ended")
    for absent in (f"{uploads}/{uuid4()}", f"{uploads}/nonsense"):
        assert tenant.http.post(f"{absent}/complete").json()["code"] == "not_found"
    too_large = tenant.http.post(uploads, json=announced(b"x") | {"size": 6 * 1024**3})
    assert (too_large.status_code, too_large.json()["code"]) == (413, "content_too_large")


def test_another_tenants_upload_does_not_exist(tenant: Tenant, other_tenant: Tenant) -> None:
    """I4."""
    document, foreign = tenant.make_document(), other_tenant.make_document()
    uploads = f"{other_tenant.path(foreign)}/uploads"
    upload_id = other_tenant.http.post(uploads, json=announced(b"x")).json()["upload_id"]
    for address in (
        f"{tenant.path(document)}/uploads/{upload_id}",
        f"{tenant.documents}/{foreign['id']}/uploads/{upload_id}",
    ):
        assert tenant.http.delete(address).json()["code"] == "not_found"
        assert tenant.http.post(f"{address}/complete").json()["code"] == "not_found"


def test_promotion_makes_a_new_version(tenant: Tenant) -> None:
    """I7."""
    document = tenant.make_document()
    for content in (b"old", b"new"):
        tenant.put(document, content)
    path = tenant.path(document)
    promote = f"{path}/versions/1/promote"
    assert tenant.http.post(promote).json()["code"] == "precondition_required"
    etag = tenant.http.get(path).headers["ETag"]
    headers = {"If-Match": etag, "Idempotency-Key": str(uuid4())}
    first, again = [tenant.http.post(promote, headers=headers) for _ in "ab"]
    assert first.json() == again.json()
    assert first.json()["version_number"] == 3
    assert tenant.http.get(f"{path}/content?proxy=true").content == b"old"
    stale = tenant.http.post(promote, headers={"If-Match": etag})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    assert len(tenant.http.get(f"{path}/versions").json()["items"]) == 3


def test_purge_is_for_good_and_refused_while_something_is_to_be_kept(tenant: Tenant) -> None:
    document = tenant.make_document()
    tenant.put(document, b"content")
    path = tenant.path(document)
    living = tenant.http.post(f"{path}/purge")
    assert (living.status_code, living.json()["code"]) == (409, "conflict")
    held = tenant.http.patch(path, json={"legal_hold": True}, headers={"If-Match": "*"})
    assert held.json()["legal_hold"] is True
    tenant.http.delete(path, headers={"If-Match": "*"})
    kept = tenant.http.post(f"{path}/purge")
    assert (kept.status_code, kept.json()["code"]) == (409, "retained")
    tenant.http.post(f"{path}/restore")
    tenant.http.patch(path, json={"legal_hold": False}, headers={"If-Match": "*"})
    tenant.http.delete(path, headers={"If-Match": "*"})
    assert tenant.http.post(f"{path}/purge").status_code == 204
    assert tenant.http.get(f"{path}?deleted=include").json()["code"] == "not_found"
    assert tenant.http.post(f"{path}/purge").json()["code"] == "not_found"
    log = f"/v1/clients/{tenant.id}/audit-logs?entity_id={document['id']}&action=document.purge"
    [row] = tenant.http.get(log).json()["items"]
    assert (row["changes"]["before"]["original_name"], row["changes"]["after"]) == ("a.txt", None)


def test_what_decides_over_purging_needs_its_permission(
    tenant: Tenant, admin: httpx.Client, fleet: LocalFleet
) -> None:
    document = tenant.make_document()
    key = make_key(admin, tenant.id, ("document:read", "document:write"))["key"]
    with connect(fleet, key) as writer:
        for body in ({"legal_hold": True}, {"retain_until": "2030-01-01T00:00:00Z"}):
            answer = writer.patch(tenant.path(document), json=body, headers={"If-Match": "*"})
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert writer.post(f"{tenant.path(document)}/purge").status_code == 403
    for value in ("2031-01-01T00:00:00Z", "2030-01-01T00:00:00Z", None):
        given = {"retain_until": value}
        answer = tenant.http.patch(tenant.path(document), json=given, headers={"If-Match": "*"})
        codes = {"2030-01-01T00:00:00Z": "retained", None: "invalid_request"}
        assert answer.json().get("code") == codes.get(value)


def test_each_operation_of_a_batch_has_its_own_result(tenant: Tenant) -> None:
    first, second = tenant.make_document(), tenant.make_document()
    operations: list[dict[str, Any]] = [
        {"operation": "create", "original_name": "c.txt", "mime_type": "text/plain"},
        {
            "operation": "update",
            "document_id": first["id"],
            "if_match": '"1"',
            "metadata": {"n": 1},
        },
        {
            "operation": "update",
            "document_id": first["id"],
            "if_match": '"1"',
            "metadata": {"n": 2},
        },
        {"operation": "delete", "document_id": second["id"], "if_match": "*"},
        {"operation": "restore", "document_id": second["id"]},
        {"operation": "delete", "document_id": str(uuid4()), "if_match": "*"},
    ]
    headers = {"Idempotency-Key": str(uuid4())}
    answer = tenant.http.post(
        f"{tenant.documents}:batch", json={"operations": operations}, headers=headers
    )
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [one["status"] for one in results] == [201, 200, 412, 204, 200, 404]
    assert results[1]["document"]["metadata"] == {"n": 1}
    assert results[2]["error"]["code"] == "precondition_failed"
    assert answer.headers["Consistency-Token"]
    again = tenant.http.post(
        f"{tenant.documents}:batch", json={"operations": operations}, headers=headers
    )
    assert again.json()["results"][0]["document"]["id"] == results[0]["document"]["id"]


@pytest.mark.parametrize(
    "operations",
    [[], [{"operation": "explode"}], [{"operation": "restore", "document_id": str(uuid4())}] * 101],
)
def test_batches_are_checked_as_a_whole_first(tenant: Tenant, operations: list[Any]) -> None:
    answer = tenant.http.post(f"{tenant.documents}:batch", json={"operations": operations})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_reads_of_content_are_audited_soon_after(tenant: Tenant) -> None:
    document = tenant.make_document()
    tenant.put(document, b"secret")
    path = f"{tenant.path(document)}/content"
    tenant.http.get(path)
    tenant.http.get(f"{path}?proxy=true")
    log = f"/v1/clients/{tenant.id}/audit-logs?entity_id={document['id']}&action=content.read"
    until(lambda: len(tenant.http.get(log).json()["items"]) == 2)
    told = [row["changes"]["after"] for row in tenant.http.get(log).json()["items"]]
    assert {one["given_as"] for one in told} == {"address", "stream"}
    assert {one["version_number"] for one in told} == {1}


def test_pages_that_pass_for_pictures_are_refused(tenant: Tenant) -> None:
    path = f"{tenant.path(tenant.make_document())}/content"
    page = b"<!DOCTYPE html><script>alert(1)</script>"
    refused = tenant.http.put(path, content=page, headers={"Content-Type": "image/png"})
    assert (refused.status_code, refused.json()["code"]) == (422, "content_refused")
    honest = tenant.http.put(path, content=page, headers={"Content-Type": "text/html"})
    assert honest.json()["detected_type"] == "text/html"
    given = tenant.http.get(f"{path}?proxy=true")
    assert given.headers["Content-Disposition"].startswith("attachment")
    assert given.headers["X-Content-Type-Options"] == "nosniff"
