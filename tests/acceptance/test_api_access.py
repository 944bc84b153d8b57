"""Who may call what, and that nobody learns of what is not theirs."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.api import Tenant, connect, make_key
from tests.acceptance.fleet import LocalFleet, until

OPENAPI = json.loads((Path(__file__).parents[2] / "openapi.json").read_text())
BODIES = [b"", b"{", b'{"colour": 1}']


@dataclass(frozen=True)
class Operation:
    """One operation of the API description, to be called by somebody."""

    name: str
    method: str
    path: str
    permission: str

    def call(
        self, http: httpx.Client, client_id: str, document_id: str, body: bytes = b""
    ) -> httpx.Response:
        others = dict.fromkeys(("key_id", "user_id", "role_id", "grant_id"), document_id)
        path = self.path.format(client_id=client_id, document_id=document_id, number=1, **others)
        return http.request(
            self.method,
            path,
            content=body if self.method in {"POST", "PUT", "PATCH"} else None,
            headers={"Content-Type": "application/json"},
        )

    def code(self, answer: httpx.Response) -> str | None:
        """The problem's code; an answer to HEAD has no body."""
        return None if self.method == "HEAD" else str(answer.json()["code"])


OPERATIONS = [
    Operation(one["operationId"], method.upper(), path, one["x-permission"])
    for path, methods in OPENAPI["paths"].items()
    for method, one in methods.items()
    if one["security"]
]
ON_CLIENTS = [one for one in OPERATIONS if "{client_id}" in one.path]
ON_DOCUMENTS = [one for one in OPERATIONS if "{document_id}" in one.path]


def by_name(operations: list[Operation]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("operation", operations, ids=[one.name for one in operations])


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    """What tells one refusal from another."""
    problem: dict[str, Any] = answer.json()
    return {name: problem[name] for name in problem if name not in {"request_id", "instance"}}


@pytest.fixture(scope="module")
def document(tenant: Tenant) -> dict[str, Any]:
    made = tenant.make_document()
    tenant.put(made, b"theirs")
    return made


@pytest.fixture(scope="module")
def blind(fleet: LocalFleet, admin: httpx.Client, tenant: Tenant) -> Iterator[httpx.Client]:
    """A key of the tenant that may only read reports."""
    key = make_key(admin, tenant.id, ("report:read",))
    with connect(fleet, key["key"]) as http:
        yield http


@by_name(OPERATIONS)
def test_without_credentials_nothing(
    anonymous: httpx.Client, tenant: Tenant, operation: Operation
) -> None:
    for client_id in (tenant.id, str(uuid4()), "nonsense"):
        answer = operation.call(anonymous, client_id, str(uuid4()), b"{")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert operation.code(answer) in {None, "unauthenticated"}


def assert_alike(operation: Operation, foreign: httpx.Response, absent: httpx.Response) -> None:
    assert foreign.status_code == absent.status_code == 404
    assert operation.code(foreign) in {None, "not_found"}
    if operation.method != "HEAD":
        assert problem_of(foreign) == problem_of(absent)


@by_name(ON_CLIENTS)
def test_a_foreign_client_looks_absent(
    other_tenant: Tenant, tenant: Tenant, document: dict[str, Any], operation: Operation
) -> None:
    """I4."""
    for body in BODIES:
        foreign = operation.call(other_tenant.http, tenant.id, document["id"], body)
        absent = operation.call(other_tenant.http, str(uuid4()), str(uuid4()), body)
        assert_alike(operation, foreign, absent)


@by_name(ON_DOCUMENTS)
def test_a_foreign_document_looks_absent_inside_the_own_client(
    other_tenant: Tenant, document: dict[str, Any], operation: Operation
) -> None:
    """I4."""
    for body in BODIES:
        foreign = operation.call(other_tenant.http, other_tenant.id, document["id"], body)
        absent = operation.call(other_tenant.http, other_tenant.id, str(uuid4()), body)
        assert_alike(operation, foreign, absent)


@by_name(OPERATIONS)
def test_the_permission_is_demanded(
    blind: httpx.Client, tenant: Tenant, document: dict[str, Any], operation: Operation
) -> None:
    answer = operation.call(blind, tenant.id, document["id"], b"{")
    if operation.permission == "<authenticated>":
        assert answer.status_code == 200
        return
    assert answer.status_code == 403
    assert operation.code(answer) in {None, "forbidden"}
    if operation.method != "HEAD" and operation.permission != "<person>":
        assert operation.permission in answer.json()["detail"]


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
