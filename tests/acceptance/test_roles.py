"""Roles and grants: nobody gives, takes or reaches more than they hold."""

from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.api import connect
from tests.acceptance.stage import Stage, address, log_of, refused


@pytest.fixture(scope="module")
def steward(stage: Stage) -> Iterator[httpx.Client]:
    """Who may administer users and roles, and read clients; no more."""
    role = stage.role("user:read", "user:edit", "role:edit", "client:read")
    user = stage.user()
    stage.grant(user["id"], role["name"])
    with connect(stage.fleet, stage.token(user["email"])) as http:
        yield http


def test_no_role_gives_more_than_its_giver_holds(stage: Stage, steward: httpx.Client) -> None:
    target, me = stage.user()["id"], steward.get("/v1/me").json()["user_id"]
    for user_id in (target, me):
        for role in ("admin", "client_admin", "editor", "auditor", "operator"):
            for client_id in (None, stage.client()):
                given = {"role": role, "client_id": client_id}
                answer = steward.post(f"/v1/users/{user_id}/roles", json=given)
                assert "document" in refused(answer, 403, "forbidden") or role in {
                    "auditor",
                    "operator",
                }
    reader = stage.role("client:read")
    assert steward.post(f"/v1/users/{target}/roles", json={"role": reader["name"]}).is_success


def test_no_custom_role_holds_more_than_its_maker(stage: Stage, steward: httpx.Client) -> None:
    name = f"r{uuid4().hex[:20]}"
    body = {"name": name, "permissions": ["client:read", "document:read"]}
    refused(steward.post("/v1/roles", json=body), 403, "forbidden")
    made = steward.post("/v1/roles", json=body | {"permissions": ["client:read"]}).json()
    path = f"/v1/roles/{made['id']}"
    more = {"permissions": ["client:read", "fleet:operate"]}
    refused(steward.patch(path, json=more), 403, "forbidden")
    assert steward.get(path).json()["permissions"] == ["client:read"]
    greater = stage.role("document:purge")["id"]
    for answer in (
        steward.patch(f"/v1/roles/{greater}", json={"permissions": ["client:read"]}),
        steward.delete(f"/v1/roles/{greater}"),
    ):
        refused(answer, 403, "forbidden")
    assert steward.delete(path).status_code == 204


def test_built_in_roles_never_change(stage: Stage) -> None:
    roles = stage.admin.get("/v1/roles").json()["items"]
    for role in (role for role in roles if role["built_in"]):
        path = f"/v1/roles/{role['id']}"
        changed = stage.admin.patch(path, json={"permissions": ["client:read"]})
        refused(changed, 409, "conflict")
        refused(stage.admin.delete(path), 409, "conflict")


def test_a_role_in_use_stays(stage: Stage) -> None:
    role, user = stage.role("client:read"), stage.user()
    grant = stage.grant(user["id"], role["name"])
    detail = refused(stage.admin.delete(f"/v1/roles/{role['id']}"), 409, "conflict")
    assert "take it from them first" in detail
    path = f"/v1/users/{user['id']}/roles"
    refused(stage.admin.post(path, json={"role": role["name"]}), 409, "conflict")
    assert stage.admin.delete(f"{path}/{grant['id']}").status_code == 204
    assert stage.admin.delete(f"/v1/roles/{role['id']}").status_code == 204


def test_who_may_do_more_is_beyond_reach(stage: Stage, steward: httpx.Client) -> None:
    """Else whoever may change an address could take an administrator's account over."""
    greater = stage.user()
    grant = stage.grant(greater["id"], "editor", stage.client())
    path = f"/v1/users/{greater['id']}"
    for answer in (
        steward.patch(path, json={"email": address()}),
        steward.patch(path, json={"is_active": False}),
        steward.delete(path),
        steward.delete(f"{path}/roles/{grant['id']}"),
    ):
        refused(answer, 403, "forbidden")
    assert steward.get(path).json()["email"] == greater["email"]
    lesser = stage.user()["id"]
    assert steward.patch(f"/v1/users/{lesser}", json={"is_active": False}).status_code == 200
    assert steward.delete(f"/v1/users/{lesser}").status_code == 204


def test_the_log_tells_of_roles(stage: Stage) -> None:
    """I5."""
    role = stage.role("client:read")
    path = f"/v1/roles/{role['id']}"
    changed = {"permissions": ["client:read", "report:read"]}
    for _ in range(2):  # the second changes nothing
        assert stage.admin.patch(path, json=changed).status_code == 200
    assert stage.admin.delete(path).status_code == 204
    rows = log_of(stage.admin, entity_type="role", entity_id=role["id"])
    assert [row["action"] for row in rows] == ["role.delete", "role.update", "role.create"]
    assert rows[1]["changes"] == {
        "before": {"permissions": ["client:read"]},
        "after": {"permissions": ["client:read", "report:read"]},
    }
