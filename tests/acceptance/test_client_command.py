"""`docshard client …`: what an operator changes, and that the log tells who asked and why."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from deploy.errors import Exit
from tests.acceptance.api import connect, make_key
from tests.acceptance.fleet import LocalFleet, until
from tests.acceptance.stage import Stage, log_of


def docshard(fleet: LocalFleet, *arguments: str) -> dict[str, Any]:
    """Run `docshard client … -o json`; answers the client it shows."""
    shown = json.loads(fleet.run("client", *arguments, "-o", "json").stdout)
    assert shown["schema_version"] == 1
    client: dict[str, Any] = shown["client"]
    return client


@pytest.fixture
def code() -> str:
    return f"cli-{uuid4().hex[:20]}"


def test_a_client_is_made_suspended_deleted_and_brought_back(
    stage: Stage, fleet: LocalFleet, admin: httpx.Client, code: str
) -> None:
    made = docshard(
        fleet,
        *("create", code, "--name", "By hand", "--metadata", '{"plan": "large"}'),
        *("--reason", "signed the contract"),
    )
    path = f"/v1/clients/{made['id']}"
    assert admin.get(path).json()["metadata"] == {"plan": "large"}
    with connect(fleet, make_key(admin, made["id"], ("document:read",))["key"]) as http:
        documents = f"{path}/documents"
        assert http.get(documents).status_code == 200
        assert docshard(fleet, "suspend", code, "--reason", "unpaid")["status"] == "suspended"
        until(lambda: http.get(documents).status_code == 403)
        assert docshard(fleet, "deactivate", made["id"])["status"] == "inactive"
        assert docshard(fleet, "activate", code)["status"] == "active"
        until(lambda: http.get(documents).status_code == 200)
        fleet.run("client", "delete", code, "--confirm", code, "--reason", "left us")
        until(lambda: http.get(documents).status_code == 401)
        assert docshard(fleet, "restore", code)["id"] == made["id"]
        until(lambda: http.get(documents).status_code == 200)
    rows = log_of(admin, client_id=made["id"], entity_type="client")
    assert [(row["action"], row["reason"]) for row in reversed(rows)] == [
        ("client.create", "signed the contract"),
        ("client.update", "unpaid"),
        *[("client.update", None)] * 2,
        ("client.delete", "left us"),
        ("client.restore", None),
    ]
    assert {(row["user_id"], row["api_key_id"]) for row in rows} == {(None, None)}


def test_a_dry_run_changes_nothing(fleet: LocalFleet, admin: httpx.Client, code: str) -> None:
    assert f"admit {code}" in fleet.run("client", "create", code, "--dry-run").stdout
    assert admin.get("/v1/clients", params={"code": code}).json()["items"] == []
    made = docshard(fleet, "create", code)
    suspended = fleet.run("client", "suspend", code, "--dry-run").stdout
    assert "from active to suspended" in suspended
    assert fleet.run("client", "activate", code, "--dry-run").stdout == "nothing to do\n"
    assert code in fleet.run("client", "delete", code, "--dry-run").stdout
    assert admin.get(f"/v1/clients/{made['id']}").json()["status"] == "active"
    assert [row["action"] for row in log_of(admin, client_id=made["id"])] == ["client.create"]


def test_refusals_say_what_to_do(fleet: LocalFleet, admin: httpx.Client, code: str) -> None:
    made = docshard(fleet, "create", code)
    for arguments, status, words in (
        (("create", code), Exit.REFUSED, "exists"),
        (("create", "No Good"), Exit.USAGE, "/code"),
        (("create", f"{code}-2", "--metadata", "[]"), Exit.USAGE, "JSON object"),
        (("create", f"{code}-2", "--managed-by", str(uuid4())), Exit.USAGE, "not a user"),
        (("delete", code, "--confirm", "another"), Exit.REFUSED, "Nothing was deleted"),
        (("suspend", str(uuid4())), Exit.NOT_FOUND, "no client"),
        (("restore", code), Exit.NOT_FOUND, "no deleted client"),
    ):
        done = fleet.run("client", *arguments, check=False)
        assert (done.returncode, words in done.stderr) == (status, True), done.stderr
    fleet.run("client", "delete", code, "--confirm", code)
    docshard(fleet, "create", code)
    done = fleet.run("client", "restore", made["id"], check=False)
    assert done.returncode == Exit.REFUSED
    assert "change that one's code" in done.stderr
    fleet.run("client", "delete", code, "--confirm", code)
    several = fleet.run("client", "restore", code, check=False)
    assert several.returncode == Exit.REFUSED
    assert made["id"] in several.stderr


def test_quotas_are_set_shown_and_heeded(
    stage: Stage, fleet: LocalFleet, admin: httpx.Client, code: str
) -> None:
    made = docshard(fleet, "create", code)
    set_it = ("quota", code, "--documents", "1", "--bytes", "10GiB", "--requests", "60/min")
    assert "from none to 1" in fleet.run("client", *set_it, "--dry-run").stdout
    fleet.run("client", *set_it, "--reason", "the small plan")
    shown = docshard(fleet, "show", code)
    limits = (shown["max_documents"], shown["max_bytes"], shown["requests_per_second"])
    assert limits == (1, 10 * 1024**3, 1)
    key = make_key(admin, made["id"], ("document:read", "document:write"))["key"]
    with connect(fleet, key) as http:
        path = f"/v1/clients/{made['id']}/documents"
        body = {"original_name": "a.txt", "mime_type": "text/plain"}
        assert http.post(path, json=body).status_code == 201
        until(lambda: (full := http.post(path, json=body)).status_code == 403 and refused(full))
        until(lambda: (late := http.get(path)).status_code == 429 and late.headers["Retry-After"])
    fleet.run("client", "quota", code, "--documents", "none", "--requests", "none")
    found = json.loads(fleet.run("client", "quota", code, "-o", "json").stdout)["quota"]
    assert (found["documents"], found["max_documents"], found["max_bytes"]) == (1, None, limits[1])
    allowed = {"documents": None, "bytes": limits[1], "requests_per_second": None}
    report = f"/v1/clients/{made['id']}/reports/usage"
    until(lambda: admin.get(report).json().get("limits") == allowed)


def refused(answer: httpx.Response) -> bool:
    return (
        answer.json()["code"] == "quota_exceeded"
        and '"documents";q=1' in answer.headers["RateLimit-Policy"]
        and '"documents";r=0' in answer.headers["RateLimit"]
    )
