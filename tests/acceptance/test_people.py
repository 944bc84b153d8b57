"""Users: who exists, who is out at once, and that the log tells of each change."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.api import connect
from tests.acceptance.fleet import until
from tests.acceptance.stage import PASSWORD, Stage, address, log_of, refused

LEASE_SECONDS = 5.0
AT_ONCE = 20


def together(work: Callable[[int], httpx.Response], times: int) -> list[httpx.Response]:
    """Do it that many times at the same moment, each by a thread of its own."""
    barrier = threading.Barrier(times)

    def one(number: int) -> httpx.Response:
        barrier.wait(10)
        return work(number)

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(one, range(times)))


# Soft delete


def deleted_user(stage: Stage, email: str) -> str:
    user_id = str(stage.user(email=email)["id"])
    assert stage.admin.delete(f"/v1/users/{user_id}").status_code == 204
    return user_id


def test_many_deleted_users_share_an_address_with_one_living(stage: Stage) -> None:
    email, admin = address(), stage.admin
    gone = [deleted_user(stage, email) for _ in range(3)]
    living = stage.user(email=email)["id"]
    detail = refused(admin.post("/v1/users", json={"email": email}), 409, "email_taken")
    assert "change or delete that one first" in detail
    for user_id in gone:
        detail = refused(admin.post(f"/v1/users/{user_id}/restore"), 409, "email_taken")
        assert "change or delete that one first" in detail
    found = admin.get("/v1/users", params={"email": email}).json()["items"]
    assert [user["id"] for user in found] == [living]
    deleted = admin.get("/v1/users", params={"email": email, "deleted": "true"}).json()["items"]
    assert {user["id"] for user in deleted} == {*gone}


def test_what_the_refusal_says_helps(stage: Stage) -> None:
    email, admin = address(), stage.admin
    first = stage.user(email=email)["id"]
    assert admin.delete(f"/v1/users/{first}").status_code == 204
    second = stage.user(email=email)["id"]
    refused(admin.post(f"/v1/users/{first}/restore"), 409, "email_taken")
    assert admin.patch(f"/v1/users/{second}", json={"email": address()}).status_code == 200
    assert admin.post(f"/v1/users/{first}/restore").json()["email"] == email
    refused(admin.post(f"/v1/users/{first}/restore"), 409, "conflict")
    refused(admin.post(f"/v1/users/{uuid4()}/restore"), 404, "not_found")


def test_a_deleted_user_is_seen_but_not_changed(stage: Stage) -> None:
    user_id, admin = stage.user()["id"], stage.admin
    assert admin.delete(f"/v1/users/{user_id}").status_code == 204
    assert admin.get(f"/v1/users/{user_id}").json()["deleted_at"] is not None
    refused(admin.delete(f"/v1/users/{user_id}"), 404, "not_found")
    refused(admin.patch(f"/v1/users/{user_id}", json={"is_active": False}), 404, "not_found")
    given = {"role": "viewer"}
    refused(admin.post(f"/v1/users/{user_id}/roles", json=given), 404, "not_found")


# Unique addresses


def test_of_many_who_register_an_address_at_once_one_wins(stage: Stage) -> None:
    email = address()
    forms = [email, email.upper(), f" {email}", email.title()]

    def register(number: int) -> httpx.Response:
        with connect(stage.fleet, stage.admin.auth) as http:
            return http.post("/v1/users", json={"email": forms[number % len(forms)]})

    answers = together(register, AT_ONCE)
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] + [409] * (AT_ONCE - 1), [answer.text for answer in answers]
    found = stage.admin.get("/v1/users", params={"email": email}).json()["items"]
    assert len(found) == 1


def test_an_address_in_two_normal_forms_is_one(stage: Stage) -> None:
    name = uuid4().hex
    composed, decomposed = f"jos\u00e9.{name}@example.org", f"jose\u0301.{name}@example.org"
    assert composed != decomposed
    made = stage.user(email=composed)
    refused(stage.admin.post("/v1/users", json={"email": decomposed}), 409, "email_taken")
    for form in (composed, decomposed, decomposed.upper()):
        found = stage.admin.get("/v1/users", params={"email": form}).json()["items"]
        assert [user["id"] for user in found] == [made["id"]]
        assert stage.token(form)


def test_a_number_is_unique_however_it_is_written(stage: Stage) -> None:
    digits = f"20{uuid4().int % 10**8:08}"
    stage.user(mobile=f"+44 {digits[:2]} {digits[2:]}")
    other = stage.user()["id"]
    detail = refused(
        stage.admin.patch(f"/v1/users/{other}", json={"mobile": f"+44{digits}"}),
        409,
        "mobile_taken",
    )
    assert "change or delete that one first" in detail


# Out within the lease


@pytest.fixture
def connections(stage: Stage) -> Iterator[tuple[str, list[httpx.Client]]]:
    """A user with a role, over as many connections that both workers serve some."""
    user = stage.user()
    stage.grant(user["id"], "viewer", stage.client())
    token = stage.token(user["email"])
    opened = [connect(stage.fleet, token) for _ in range(8)]
    assert [http.get("/v1/me").status_code for http in opened] == [200] * len(opened)
    yield user["id"], opened
    for http in opened:
        http.close()


@pytest.mark.parametrize("change", ["disabled", "deleted"])
def test_who_is_disabled_or_deleted_is_out_everywhere_within_the_lease(
    stage: Stage, connections: tuple[str, list[httpx.Client]], change: str
) -> None:
    user_id, opened = connections
    path = f"/v1/users/{user_id}"
    if change == "disabled":
        assert stage.admin.patch(path, json={"is_active": False}).status_code == 200
    else:
        assert stage.admin.delete(path).status_code == 204
    until(lambda: all(http.get("/v1/me").status_code == 401 for http in opened), LEASE_SECONDS)
    body = {"email": stage.admin.get(path).json()["email"], "password": PASSWORD}
    refused(opened[0].post("/v1/auth/login", json=body), 401, "invalid_credentials")


def test_a_role_that_was_taken_ends_within_the_lease(
    stage: Stage, connections: tuple[str, list[httpx.Client]]
) -> None:
    user_id, opened = connections
    held = stage.admin.get(f"/v1/users/{user_id}/roles").json()["items"]
    client = f"/v1/clients/{held[0]['client_id']}"
    assert all(http.get(client).status_code == 200 for http in opened)
    assert stage.admin.delete(f"/v1/users/{user_id}/roles/{held[0]['id']}").status_code == 204
    until(lambda: all(http.get(client).status_code == 404 for http in opened), LEASE_SECONDS)


# The log


def test_the_log_tells_of_each_change_and_keeps_no_secret(stage: Stage) -> None:
    """I5."""
    admin, email, mobile = stage.admin, address(), f"+4420{uuid4().int % 10**8:08}"
    user_id = stage.user(email=email, mobile=mobile)["id"]
    path = f"/v1/users/{user_id}"
    stage.token(email)
    assert admin.patch(path, json={"is_active": False}).status_code == 200
    assert admin.patch(path, json={"is_active": False}).status_code == 200
    client_id = stage.client()
    grant = stage.grant(user_id, "viewer", client_id)
    assert admin.delete(f"{path}/roles/{grant['id']}").status_code == 204
    assert admin.delete(path).status_code == 204
    assert admin.post(f"{path}/restore").status_code == 200
    rows = log_of(admin, entity_id=user_id)
    assert [row["action"] for row in reversed(rows)] == [
        *("user.create", "auth.login", "user.update", "role.grant", "role.revoke"),
        *("user.delete", "user.restore"),
    ]
    me = admin.get("/v1/me").json()["user_id"]
    assert {row["user_id"] for row in rows if row["action"] != "auth.login"} == {me}
    assert all(row["ip_address"] == "127.0.0.1" and row["request_id"] for row in rows)
    granted = next(row for row in rows if row["action"] == "role.grant")
    assert granted["changes"]["after"] == {"role": "viewer", "client_id": client_id}
    assert granted["client_id"] == client_id
    text = json.dumps(rows)
    name = email.partition("@")[0]
    for secret in (email, name, mobile, mobile[3:], PASSWORD, "argon2", "password"):
        assert secret not in text


def test_pages_of_the_log_neither_skip_nor_repeat(stage: Stage) -> None:
    user_id = stage.user()["id"]
    for active in (False, True) * 4:
        stage.admin.patch(f"/v1/users/{user_id}", json={"is_active": active})
    wanted = [row["id"] for row in log_of(stage.admin, entity_id=user_id)]
    found: list[str] = []
    params = {"entity_id": user_id, "limit": "2"}
    while True:
        page = stage.admin.get("/v1/audit-logs", params=params).json()
        found += [row["id"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert found == wanted
    assert len(found) == 9
    other = stage.admin.get("/v1/audit-logs", params=params | {"entity_id": str(uuid4())})
    refused(other, 422, "invalid_cursor")
