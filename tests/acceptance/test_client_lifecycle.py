"""Clients come, are suspended, go and come back; what each status refuses, and to whom."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.api import connect, make_key
from tests.acceptance.fleet import until
from tests.acceptance.stage import Stage, refused

LEASE_SECONDS = 5.0
SCOPES = ("client:read", "document:delete", "document:read", "document:write", "key:edit")


@dataclass(frozen=True)
class Tenancy:
    """A client with a document, a key of its own, and connections that both workers serve."""

    id: str
    document_id: str
    key_id: str
    opened: tuple[httpx.Client, ...]

    @property
    def path(self) -> str:
        return f"/v1/clients/{self.id}"

    @property
    def document(self) -> str:
        return f"{self.path}/documents/{self.document_id}"

    def all_answer(self, ask: Callable[[httpx.Client], httpx.Response], status: int) -> bool:
        return all(ask(http).status_code == status for http in self.opened)


@contextmanager
def new_tenancy(stage: Stage) -> Iterator[Tenancy]:
    client_id = stage.client()
    key = make_key(stage.admin, client_id, SCOPES)
    with ExitStack() as stack:
        opened = [stack.enter_context(connect(stage.fleet, key["key"])) for _ in range(6)]
        given = {"original_name": "a.txt", "mime_type": "text/plain"}
        made = opened[0].post(f"/v1/clients/{client_id}/documents", json=given).json()
        tenancy = Tenancy(client_id, made["id"], key["id"], tuple(opened))
        assert tenancy.all_answer(lambda http: http.get(tenancy.document), 200)
        yield tenancy


@pytest.fixture
def tenancy(stage: Stage) -> Iterator[Tenancy]:
    with new_tenancy(stage) as made:
        yield made


def reads(tenancy: Tenancy, http: httpx.Client) -> list[httpx.Response]:
    paths = (tenancy.document, f"{tenancy.path}/documents", tenancy.path)
    return [http.get(path) for path in (*paths, f"{tenancy.path}/api-keys")]


def writes(tenancy: Tenancy, http: httpx.Client) -> list[httpx.Response]:
    given = {"original_name": "b.txt", "mime_type": "text/plain"}
    return [
        http.post(f"{tenancy.path}/documents", json=given),
        http.patch(tenancy.document, json={"metadata": {}}, headers={"If-Match": "*"}),
        http.put(f"{tenancy.document}/content", content=b"bytes"),
        http.delete(tenancy.document, headers={"If-Match": "*"}),
        http.post(
            f"{tenancy.path}/api-keys", json={"name": "one more", "scopes": ["document:read"]}
        ),
        http.delete(f"{tenancy.path}/api-keys/{tenancy.key_id}"),
    ]


# Status


def test_a_suspended_client_is_refused_everywhere_within_the_lease(
    stage: Stage, tenancy: Tenancy
) -> None:
    stage.set_status(tenancy.id, "suspended")
    until(lambda: tenancy.all_answer(lambda http: http.get(tenancy.document), 403), LEASE_SECONDS)
    for http in tenancy.opened:
        for answer in (*reads(tenancy, http), *writes(tenancy, http)):
            refused(answer, 403, "client_suspended")
        # Who one is can still be asked, and what became of the client.
        assert http.get("/v1/me").status_code == 200
        assert [one["status"] for one in http.get("/v1/clients").json()["items"]] == ["suspended"]
    # Its data is closed to administrators as well; the client itself is theirs to open again.
    refused(stage.admin.get(tenancy.document), 403, "client_suspended")
    assert stage.admin.get(tenancy.path).json()["status"] == "suspended"
    stage.set_status(tenancy.id, "active")
    until(lambda: tenancy.all_answer(lambda http: http.get(tenancy.document), 200), LEASE_SECONDS)


def test_an_inactive_client_is_read_only(stage: Stage, tenancy: Tenancy) -> None:
    stage.set_status(tenancy.id, "inactive")
    stale = {"If-Match": '"0"'}  # changes nothing while the status has not arrived
    until(
        lambda: tenancy.all_answer(
            lambda http: http.patch(tenancy.document, json={}, headers=stale), 403
        ),
        LEASE_SECONDS,
    )
    for http in tenancy.opened:
        assert {answer.status_code for answer in reads(tenancy, http)} == {200}
        for answer in writes(tenancy, http):
            refused(answer, 403, "client_inactive")
    stage.set_status(tenancy.id, "active")
    until(
        lambda: tenancy.all_answer(
            lambda http: http.patch(tenancy.document, json={}, headers=stale), 412
        ),
        LEASE_SECONDS,
    )


def test_no_key_of_a_client_lifts_its_own_suspension(stage: Stage) -> None:
    """Not even one that may change the client."""
    client_id = stage.client()
    key = make_key(stage.admin, client_id, ("client:read", "client:edit"))
    stage.set_status(client_id, "suspended")
    with connect(stage.fleet, key["key"]) as http:
        path = f"/v1/clients/{client_id}"
        refused(http.patch(path, json={"status": "active"}), 403, "client_suspended")
        refused(http.delete(path), 403, "client_suspended")
    assert stage.admin.get(path).json()["status"] == "suspended"


# Soft delete


def test_deleting_a_client_ends_its_keys_and_restoring_it_gives_all_back(
    stage: Stage, tenancy: Tenancy
) -> None:
    assert stage.admin.delete(tenancy.path).status_code == 204
    until(lambda: tenancy.all_answer(lambda http: http.get("/v1/me"), 401), LEASE_SECONDS)
    assert tenancy.all_answer(lambda http: http.get(tenancy.document), 401)
    for answer in (
        stage.admin.get(tenancy.path),
        stage.admin.get(tenancy.document),
        stage.admin.get(f"{tenancy.path}/api-keys"),
        stage.admin.delete(tenancy.path),
    ):
        refused(answer, 404, "not_found")
    assert stage.admin.post(f"{tenancy.path}/restore").json()["deleted_at"] is None
    until(lambda: tenancy.all_answer(lambda http: http.get(tenancy.document), 200), LEASE_SECONDS)
    refused(stage.admin.post(f"{tenancy.path}/restore"), 409, "conflict")


def test_a_deleted_client_does_not_exist_for_its_people(stage: Stage) -> None:
    client_id = stage.client()
    owner = stage.person("owner", ("client_admin", "own", client_id))
    with connect(stage.fleet, owner.bearer) as http:
        assert http.get(f"/v1/clients/{client_id}").status_code == 200
        assert stage.admin.delete(f"/v1/clients/{client_id}").status_code == 204
        path = f"/v1/clients/{client_id}/documents"
        until(lambda: http.get(path).status_code == 404, LEASE_SECONDS)
        assert http.get("/v1/clients").json()["items"] == []


def test_many_deleted_clients_share_a_code_with_one_living(stage: Stage) -> None:
    admin, code = stage.admin, f"code-{uuid4().hex[:20]}"
    given = {"code": code, "name": "again"}
    gone = []
    for _ in range(3):
        gone.append(stage.post("/v1/clients", given)["id"])
        assert admin.delete(f"/v1/clients/{gone[-1]}").status_code == 204
    living = stage.post("/v1/clients", given)["id"]
    refused(admin.post("/v1/clients", json=given), 409, "code_taken")
    for client_id in gone:
        detail = refused(admin.post(f"/v1/clients/{client_id}/restore"), 409, "code_taken")
        assert "change that one's code" in detail
    found = admin.get("/v1/clients", params={"code": code}).json()["items"]
    assert [client["id"] for client in found] == [living]
    freed = admin.patch(f"/v1/clients/{living}", json={"code": f"new-{uuid4().hex[:20]}"})
    assert freed.status_code == 200
    assert admin.post(f"/v1/clients/{gone[0]}/restore").json()["code"] == code


# Lists and metadata


def test_clients_are_found_by_what_their_metadata_contain(stage: Stage) -> None:
    mark, admin = uuid4().hex, stage.admin
    ids = []
    for plan in ("small", "large", "large"):
        made = stage.post(
            "/v1/clients",
            {
                "code": f"c-{uuid4().hex[:20]}",
                "name": "m",
                "metadata": {"mark": mark, "plan": {"size": plan}, "tags": [plan, "eu"]},
            },
        )
        ids.append(made["id"])

    def found(**contains: Any) -> set[str]:
        params = {"metadata": json.dumps({"mark": mark} | contains)}
        return {one["id"] for one in admin.get("/v1/clients", params=params).json()["items"]}

    assert found() == set(ids)
    assert found(plan={"size": "large"}) == set(ids[1:])
    assert found(tags=["small"]) == {ids[0]}
    assert found(plan={"size": "medium"}) == set()
    stage.set_status(ids[1], "suspended")
    params = {"metadata": json.dumps({"mark": mark}), "status": "suspended"}
    listed = admin.get("/v1/clients", params=params).json()["items"]
    assert [one["id"] for one in listed] == [ids[1]]


def test_a_manager_is_a_user_that_the_caller_may_know(stage: Stage) -> None:
    """Else the right to change one client would tell which ids are users."""
    client_id, someone = stage.client(), stage.user()["id"]
    path = f"/v1/clients/{client_id}"
    assert stage.admin.patch(path, json={"managed_by": someone}).json()["managed_by"] == someone
    refused(stage.admin.patch(path, json={"managed_by": str(uuid4())}), 422, "invalid_request")
    role, editor = stage.role("client:read", "client:edit"), stage.user()
    stage.grant(editor["id"], role["name"], client_id)
    with connect(stage.fleet, stage.token(editor["email"])) as http:
        answers = [
            http.patch(path, json={"managed_by": user_id}) for user_id in (someone, str(uuid4()))
        ]
        details = [refused(answer, 422, "invalid_request") for answer in answers]
        assert details[0] == details[1]
        mine = http.patch(path, json={"managed_by": editor["id"]})
        assert mine.json()["managed_by"] == editor["id"]
        assert http.patch(path, json={"managed_by": None}).json()["managed_by"] is None


# The log


def test_the_log_tells_of_each_change(stage: Stage) -> None:
    """I5."""
    client_id, admin = stage.client(), stage.admin
    path = f"/v1/clients/{client_id}"
    key = make_key(admin, client_id, ("document:read",))
    assert admin.delete(f"{path}/api-keys/{key['id']}").status_code == 204
    stage.set_status(client_id, "suspended")
    stage.set_status(client_id, "suspended")  # changes nothing
    assert admin.delete(path).status_code == 204
    assert admin.post(f"{path}/restore").status_code == 200
    params = {"client_id": client_id, "limit": "200"}
    rows = admin.get("/v1/audit-logs", params=params).json()["items"]
    assert [row["action"] for row in reversed(rows)] == [
        *("client.create", "key.create", "key.revoke", "client.update"),
        *("client.delete", "client.restore"),
    ]
    updated = next(row for row in rows if row["action"] == "client.update")
    assert updated["changes"] == {
        "before": {"status": "active"},
        "after": {"status": "suspended"},
    }
    assert key["key"] not in json.dumps(rows)
    assert key["key"][4:] not in json.dumps(rows)
