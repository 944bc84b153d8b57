"""Bad input gets a clear error and changes nothing."""

from typing import Any

import httpx
import pytest

from tests.acceptance.api import Tenant

GOOD = {"original_name": "a.txt", "mime_type": "text/plain"}


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    problem: dict[str, Any] = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["request_id"] == answer.headers["Request-Id"]
    assert problem["type"] == f"/docs/errors#{code}"
    for forbidden in ("Traceback", "psycopg", "SELECT", "shard-"):
        assert forbidden not in answer.text
    return problem


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"original_name": 7}, "/original_name"),
        ({"original_name": None}, "/original_name"),
        ({"original_name": ""}, "/original_name"),
        ({"original_name": "x" * 256}, "/original_name"),
        ({"original_name": "a\nb"}, "/original_name"),
        ({"original_name": "a\x00b"}, "/original_name"),
        ({"original_name": "../../etc/passwd"}, "/original_name"),
        ({"original_name": "..\\..\\boot.ini"}, "/original_name"),
        ({"original_name": ".."}, "/original_name"),
        ({"mime_type": "text"}, "/mime_type"),
        ({"mime_type": "text/plain\r\nX-Evil: 1"}, "/mime_type"),
        ({"mime_type": "text/plain\n"}, "/mime_type"),
        ({"metadata": []}, "/metadata"),
        ({"metadata": "{}"}, "/metadata"),
        ({"metadata": {"a": "\x00"}}, "/metadata/a"),
        ({"metadata": {"a": 2**63}}, "/metadata/a"),
        ({"metadata": {"a": "x" * 70_000}}, "/metadata"),
        ({"colour": "red"}, "/colour"),
        ({"id": "01983f5e-1111-7d2b-9a4e-0c5b7d1e2f30"}, "/id"),
        ({"client_id": "01983f5e-1111-7d2b-9a4e-0c5b7d1e2f30"}, "/client_id"),
        ({"s3_key": "somewhere/else"}, "/s3_key"),
    ],
)
def test_values_are_refused_by_pointer(
    tenant: Tenant, change: dict[str, object], pointer: str
) -> None:
    answer = tenant.http.post(tenant.documents, json=GOOD | change)
    problem = refused(answer, 422, "invalid_request")
    assert [one["pointer"] for one in problem["errors"]] == [pointer]


@pytest.mark.parametrize(
    "body",
    [b"{", b"nonsense", b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000, b'{"a": Infinity}', b"{} {}"],
)
def test_what_is_not_json(tenant: Tenant, body: bytes) -> None:
    answer = tenant.http.post(
        tenant.documents, content=body, headers={"Content-Type": "application/json"}
    )
    refused(answer, 400, "invalid_json")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (rb'{"original_name": "\ud800", "mime_type": "text/plain"}', "/original_name"),
        (rb'{"original_name": "\udc00\ud800", "mime_type": "text/plain"}', "/original_name"),
        (b"[]", ""),
        (b"null", ""),
        (b'"text"', ""),
    ],
)
def test_json_that_is_no_document(tenant: Tenant, body: bytes, pointer: str) -> None:
    answer = tenant.http.post(
        tenant.documents, content=body, headers={"Content-Type": "application/json"}
    )
    problem = refused(answer, 422, "invalid_request")
    assert problem["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    "name", ["😀" * 255, "x" * 255, "\u202egnp.exe", "a b 'c\" d;.txt", "%2e%2e"]
)
def test_unusual_names_are_names(tenant: Tenant, name: str) -> None:
    document = tenant.make_document(original_name=name)
    assert document["original_name"] == name
    tenant.put(document, b"x")
    answer = tenant.http.get(f"{tenant.path(document)}/content?proxy=true")
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")


def test_large_and_wrongly_typed_bodies(tenant: Tenant) -> None:
    large = tenant.http.post(tenant.documents, json=GOOD | {"metadata": {"a": "x" * 2_000_000}})
    refused(large, 413, "content_too_large")
    form = tenant.http.post(tenant.documents, data=GOOD)
    refused(form, 415, "unsupported_media_type")


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
def test_idempotency_keys_have_a_form(tenant: Tenant, key: str) -> None:
    answer = tenant.http.post(tenant.documents, json=GOOD, headers={"Idempotency-Key": key})
    problem = refused(answer, 422, "invalid_request")
    assert problem["errors"][0]["pointer"] == "#Idempotency-Key"


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "?limit"),
        ("limit=201", "?limit"),
        ("limit=1.0", "?limit"),
        ("limit=٣", "?limit"),
        ("limit=1e1", "?limit"),
        ("deleted=yes", "?deleted"),
        ("mime_type=%00", "?mime_type"),
        ("colour=red", "?colour"),
        ("cursor=%20", "?cursor"),
    ],
)
def test_parameters_are_refused_by_name(tenant: Tenant, query: str, pointer: str) -> None:
    problem = refused(tenant.http.get(f"{tenant.documents}?{query}"), 422, "invalid_request")
    assert [one["pointer"] for one in problem["errors"]] == [pointer]


def test_cursors_are_bound_to_their_list(tenant: Tenant, other_tenant: Tenant) -> None:
    for number in range(2):
        tenant.make_document(original_name=f"{number}.txt")
    page = tenant.http.get(tenant.documents, params={"limit": 1}).json()
    cursor = page["next_cursor"]
    flipped = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for address, params in (
        (tenant.documents, {"cursor": flipped}),
        (tenant.documents, {"cursor": "x"}),
        (tenant.documents, {"cursor": cursor, "deleted": "only"}),
        (tenant.documents, {"cursor": cursor, "mime_type": "text/plain"}),
        (f"/v1/clients/{tenant.id}/audit-logs", {"cursor": cursor}),
    ):
        refused(tenant.http.get(address, params=params), 422, "invalid_cursor")
    elsewhere = other_tenant.http.get(other_tenant.documents, params={"cursor": cursor})
    refused(elsewhere, 422, "invalid_cursor")


def test_nothing_was_changed_by_a_refused_patch(tenant: Tenant) -> None:
    document = tenant.make_document()
    path = tenant.path(document)
    for body in ({"original_name": "a/b"}, {"metadata": 1}, {"mime_type": "text/css"}):
        answer = tenant.http.patch(path, json=body, headers={"If-Match": "*"})
        refused(answer, 422, "invalid_request")
    assert tenant.http.get(path).json() == document


def test_clients_are_validated(admin: httpx.Client) -> None:
    for change, pointer in (
        ({"code": "Has Space"}, "/code"),
        ({"code": ""}, "/code"),
        ({"name": "\n"}, "/name"),
        ({"managed_by": "me"}, "/managed_by"),
        ({"managed_by": "01983f5e-1111-7d2b-9a4e-0c5b7d1e2f30"}, "/managed_by"),
        ({"status": "active"}, "/status"),
        ({"shard": "shard-1"}, "/shard"),
    ):
        answer = admin.post("/v1/clients", json={"code": "good-code", "name": "Good"} | change)
        problem = refused(answer, 422, "invalid_request")
        assert [one["pointer"] for one in problem["errors"]] == [pointer]
    refused(admin.get("/v1/clients?metadata=[1]"), 422, "invalid_request")
    refused(admin.get("/v1/clients?metadata={"), 422, "invalid_request")


def test_codes_are_unique(admin: httpx.Client, tenant: Tenant) -> None:
    code = admin.get(f"/v1/clients/{tenant.id}").json()["code"]
    answer = admin.post("/v1/clients", json={"code": code, "name": "Another"})
    refused(answer, 409, "code_taken")
    found = admin.get("/v1/clients", params={"code": code}).json()["items"]
    assert [client["id"] for client in found] == [tenant.id]
