"""Usage reports, and the audit logs of all clients as one."""

from uuid import uuid4

import httpx

from tests.acceptance.api import Tenant


def test_usage_is_counted_by_type_and_month(admin: httpx.Client, tenant: Tenant) -> None:
    path = f"/v1/clients/{tenant.id}"
    made = tenant.http.post(
        f"{path}/documents", json={"original_name": "a.txt", "mime_type": "text/plain"}
    ).json()
    content = tenant.http.put(
        f"{path}/documents/{made['id']}/content",
        content=b"counted",
        headers={"Content-Type": "text/plain"},
    )
    assert content.status_code == 201, content.text
    answer = admin.get(f"{path}/reports/usage")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Served-By"] in {"primary", "replica"}
    wrong = admin.get(f"{path}/reports/usage", params={"month": "2026-11"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_request")
    assert wrong.json()["errors"][0]["pointer"] == "?month"
    report = answer.json()
    month = made["created_at"][:7]
    for name in ("documents", "versions", "bytes"):
        by_type = sum(one[name] for one in report["by_mime_type"])
        assert by_type == sum(one[name] for one in report["by_month"]) == report["total"][name] > 0
    assert report["by_month"][0]["month"] == month
    # Counted once a minute: what comes meanwhile does not change it.
    assert admin.get(f"{path}/reports/usage").json()["as_of"]


def test_what_was_done_to_documents_and_to_clients_is_one_log(
    admin: httpx.Client, tenant: Tenant
) -> None:
    made = tenant.http.post(
        f"/v1/clients/{tenant.id}/documents",
        json={"original_name": "b.txt", "mime_type": "text/plain"},
    ).json()
    log = admin.get("/v1/audit-logs", params={"client_id": tenant.id, "limit": "200"}).json()
    assert log["unavailable"] == []
    actions = {entry["action"] for entry in log["items"]}
    assert {"document.create", "client.create"} <= actions
    (entry,) = admin.get("/v1/audit-logs", params={"entity_id": made["id"]}).json()["items"]
    assert (entry["client_id"], entry["action"]) == (str(tenant.id), "document.create")

    newest = admin.get("/v1/audit-logs", params={"limit": "5"})
    places = [(one["created_at"], one["id"]) for one in newest.json()["items"]]
    assert places == sorted(places, reverse=True)
    assert newest.links["next"]["url"]
    nobody = admin.get("/v1/audit-logs", params={"client_id": str(uuid4())}).json()
    assert (nobody["items"], nobody["unavailable"]) == ([], [])
