"""Refusals stand in the global audit log: who, what, how often; nothing of what was sent."""

import json
from typing import Any

import httpx

from tests.acceptance.api import connect
from tests.acceptance.fleet import until
from tests.acceptance.stage import Stage, log_of


def denials(admin: httpx.Client, entity_id: str) -> list[dict[str, Any]]:
    rows = log_of(admin, action="auth.denied", entity_id=entity_id)
    return [row | row["changes"]["after"] for row in rows]


def times(admin: httpx.Client, entity_id: str) -> int:
    return sum(row["times"] for row in denials(admin, entity_id))


def test_equal_refusals_are_one_row_with_their_number(stage: Stage) -> None:
    client_id = stage.client()
    user = stage.user()
    stage.grant(user["id"], "viewer", client_id)
    path = f"/v1/clients/{client_id}/documents"
    body = {"original_name": "a secret name", "mime_type": "text/plain"}
    with connect(stage.fleet, stage.token(user["email"])) as http:
        for _ in range(25):
            assert http.post(path, json=body).status_code == 403
        assert http.get("/v1/users").status_code == 403
        # What one may not see does not exist: no denial, and no way to fill the log.
        assert http.get(f"/v1/clients/{stage.client()}").status_code == 404
    until(lambda: times(stage.admin, user["id"]) == 26)
    rows = denials(stage.admin, user["id"])
    assert len(rows) < 10
    posted = next(row for row in rows if row["permission"] == "document:write")
    assert posted["operation"] == "POST /v1/clients/{client_id}/documents"
    assert (posted["code"], posted["client_id"]) == ("forbidden", client_id)
    assert (posted["user_id"], posted["entity_type"]) == (user["id"], "user")
    assert posted["ip_address"] == "127.0.0.1"
    assert "secret" not in json.dumps(rows)


def test_a_key_of_a_suspended_client_is_told_of(stage: Stage) -> None:
    client_id = stage.client()
    key = stage.key("key", "own", client_id)
    with connect(stage.fleet, key.bearer) as http:
        key_id = http.get("/v1/me").json()["api_key_id"]
        stage.set_status(client_id, "suspended")
        path = f"/v1/clients/{client_id}/documents"
        until(lambda: http.get(path).status_code == 403)
    until(lambda: times(stage.admin, key_id) >= 1)
    (row, *_) = denials(stage.admin, key_id)
    assert (row["code"], row["entity_type"]) == ("client_suspended", "api_key")


def test_nonsense_in_the_path_names_nothing(stage: Stage) -> None:
    with connect(stage.fleet, stage.token(stage.user()["email"])) as http:
        assert http.post("/v1/clients/nonsense/restore").status_code == 404
