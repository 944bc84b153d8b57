"""Credentials, keys, and the order of refusals; who may call what is in the matrix."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.api import Tenant, connect, make_key
from tests.acceptance.fleet import LocalFleet, until


@pytest.fixture(scope="module")
def document(tenant: Tenant) -> dict[str, Any]:
    made = tenant.make_document()
    tenant.put(made, b"theirs")
    return made


def test_absence_comes_before_missing_permission(
    fleet: LocalFleet, admin: httpx.Client, tenant: Tenant, document: dict[str, Any]
) -> None:
    key = make_key(admin, tenant.id, ("document:read",))
    with connect(fleet, key["key"]) as reader:
        theirs = reader.patch(tenant.path(document), json={"colour": 1})
        absent = reader.patch(tenant.path({"id": uuid4()}), json={"colour": 1})
    assert (theirs.status_code, theirs.json()["code"]) == (403, "forbidden")
    assert (absent.status_code, absent.json()["code"]) == (404, "not_found")


def test_absence_comes_before_a_bad_body(tenant: Tenant) -> None:
    absent = tenant.path({"id": uuid4()})
    for answer in (
        tenant.http.patch(absent, json={"colour": 1}),
        tenant.http.patch(absent, content=b"{", headers={"Content-Type": "application/json"}),
        tenant.http.delete(absent),
        tenant.http.get(f"{absent}/versions?limit=0"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_key_gives_no_more_than_its_maker_has(tenant: Tenant, admin: httpx.Client) -> None:
    body = {"name": "more", "scopes": ["document:read"]}
    answer = tenant.http.post(f"/v1/clients/{tenant.id}/api-keys", json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_keys_are_shown_once_and_end_when_revoked(
    fleet: LocalFleet, admin: httpx.Client, tenant: Tenant
) -> None:
    keys = f"/v1/clients/{tenant.id}/api-keys"
    body = {"name": "short-lived", "scopes": ["document:read"]}
    headers = {"Idempotency-Key": str(uuid4())}
    made = admin.post(keys, json=body, headers=headers)
    assert made.json()["key"].startswith("dsk_")
    again = admin.post(keys, json=body, headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "secret_already_shown")
    listed = admin.get(keys).json()["items"]
    assert made.json()["id"] in {key["id"] for key in listed}
    assert made.json()["key"] not in json.dumps(listed)
    with connect(fleet, made.json()["key"]) as http:
        assert http.get(tenant.documents).status_code == 200
        me = http.get("/v1/me").json()
        assert me["api_key_id"] == made.json()["id"]
        assert me["grants"] == [
            {"role": "api_key", "client_id": tenant.id, "permissions": ["document:read"]}
        ]
        assert admin.delete(f"{keys}/{made.json()['id']}").status_code == 204
        assert admin.delete(f"{keys}/{made.json()['id']}").status_code == 404
        until(lambda: http.get(tenant.documents).status_code == 401, seconds=6)


def test_a_tenant_sees_only_itself(tenant: Tenant, admin: httpx.Client, fleet: LocalFleet) -> None:
    key = make_key(admin, tenant.id, ("client:read",))
    with connect(fleet, key["key"]) as http:
        assert [client["id"] for client in http.get("/v1/clients").json()["items"]] == [tenant.id]
        assert http.get(f"/v1/clients/{tenant.id}").status_code == 200
        assert http.get(f"/v1/clients/{tenant.id}/placement").status_code == 403


@pytest.mark.parametrize(
    "credential",
    [
        "Bearer",
        "Basic YTpi",
        "Bearer dsk_" + "x" * 49,
        "Bearer a.b.c",
        "Bearer " + "x" * 5000,
        "Bearer x y",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Bearer caf\xe9",
    ],
)
def test_what_is_no_credential(anonymous: httpx.Client, credential: str) -> None:
    answer = anonymous.get("/v1/me", headers=[(b"Authorization", credential.encode("latin-1"))])
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_two_credentials_are_none(tenant: Tenant) -> None:
    twice = [("Authorization", tenant.http.headers["Authorization"])] * 2
    answer = httpx.get(f"{tenant.http.base_url}/v1/me", headers=twice)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"email": "nobody@example.org", "password": "correct horse battery"}, 401),
        ({"email": "not an address", "password": "x"}, 401),
        ({"email": "admin@docshard.test", "password": "wrong password"}, 401),
        ({"email": "admin@docshard.test", "password": "x" * 2000}, 422),
        ({"email": "admin@docshard.test"}, 422),
        ({"email": ["a"], "password": "x"}, 422),
    ],
)
def test_log_in_refuses(anonymous: httpx.Client, body: dict[str, Any], status: int) -> None:
    answer = anonymous.post("/v1/auth/login", json=body)
    assert answer.status_code == status
    expected = "invalid_credentials" if status == 401 else "invalid_request"
    assert answer.json()["code"] == expected


def test_a_stranger_cannot_make_us_read_a_large_body(fleet: LocalFleet, tenant: Tenant) -> None:
    where = urlsplit(fleet.api)
    head = (
        f"PUT {tenant.documents}/{uuid4()}/content HTTP/1.1\r\nHost: {where.netloc}\r\n"
        f"Content-Length: {4 * 1024**3}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection((where.hostname, where.port), timeout=10) as raw:
        raw.sendall(head.encode())
        answer = raw.recv(4096)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in answer
