"""A shard without its primary: its tenants hear 503 at once, others notice nothing (I9, I10)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.fleet import LocalFleet, until


@dataclass(frozen=True)
class Tenant:
    """A client and the administrator's way to it."""

    api: httpx.Client
    id: str

    def create_document(self) -> httpx.Response:
        return self.api.post(
            f"/v1/clients/{self.id}/documents",
            json={"original_name": f"{uuid4()}.txt", "mime_type": "text/plain"},
        )

    def documents(self) -> httpx.Response:
        return self.api.get(f"/v1/clients/{self.id}/documents")


@pytest.fixture(scope="module")
def api(fleet: LocalFleet) -> Iterator[httpx.Client]:
    variables = fleet.variables
    with httpx.Client(base_url=fleet.api, timeout=20, trust_env=False) as client:
        answer = client.post(
            "/v1/auth/login",
            json={
                "email": variables["DOCSHARD_ADMIN_EMAIL"],
                "password": variables["DOCSHARD_ADMIN_PASSWORD"],
            },
        )
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


@pytest.fixture(scope="module")
def tenants(api: httpx.Client) -> dict[str, Tenant]:
    """One tenant for each shard; the ring decides, so a few are made."""
    found: dict[str, Tenant] = {}
    while found.keys() != {"shard-1", "shard-2"}:
        code = f"tenant-{uuid4()}"
        answer = api.post("/v1/clients", json={"code": code, "name": "A tenant"})
        assert answer.status_code == 201, answer.text
        tenant = Tenant(api, answer.json()["id"])
        placement = api.get(f"/v1/clients/{tenant.id}/placement").json()
        found[placement["shard"]] = tenant
    return found


def test_a_dead_primary_concerns_its_own_tenants_only_and_heals_by_itself(
    fleet: LocalFleet, tenants: dict[str, Tenant]
) -> None:
    struck, spared = tenants["shard-1"], tenants["shard-2"]
    assert struck.create_document().status_code == 201
    router = fleet.status()["router"].pid
    try:
        fleet.run("kill", "shard-1-primary")
        # The first may have been handed to the pooler, which gives up after 5 s.
        for patience in (10, *[4] * 20):
            begun = time.monotonic()
            refused = struck.create_document()
            assert time.monotonic() - begun < patience
            assert_unavailable(refused)
            assert spared.create_document().status_code == 201
            assert spared.documents().status_code == 200
    finally:
        fleet.run("start", "shard-1-primary")
    until(lambda: struck.create_document().status_code == 201)
    # What was refused has left nothing: two acknowledged writes, two documents.
    assert len(struck.documents().json()["items"]) == 2
    assert fleet.status()["router"].pid == router


def test_a_frozen_primary_is_refused_in_bounded_time(
    fleet: LocalFleet, tenants: dict[str, Tenant]
) -> None:
    struck, spared = tenants["shard-1"], tenants["shard-2"]
    try:
        fleet.run("pause", "shard-1-primary")
        # The first waits for a server that answers nothing, until its deadline of 8 s.
        for patience in (15, *[4] * 5):
            begun = time.monotonic()
            assert_unavailable(struck.create_document())
            assert time.monotonic() - begun < patience
            assert spared.create_document().status_code == 201
    finally:
        fleet.run("resume", "shard-1-primary")
    until(lambda: struck.create_document().status_code == 201)


def test_without_the_global_primary_answers_stay_clear_and_it_heals_by_itself(
    fleet: LocalFleet, tenants: dict[str, Tenant]
) -> None:
    """What a worker still remembers it serves; what it would have to ask for it refuses."""
    tenant = tenants["shard-2"]
    assert tenant.documents().status_code == 200
    try:
        fleet.run("kill", "global-primary")
        answer = tenant.documents()
        assert answer.status_code in (200, 503), answer.text
        if answer.status_code == 503:
            assert answer.json()["code"] == "directory_unavailable"
    finally:
        fleet.run("start", "global-primary")
    # Callers and places that are remembered are served before the directory is found again.
    until(lambda: tenant.create_document().status_code == 201)
    until(lambda: all(knows_the_directory(fleet) for _ in range(8)))


def knows_the_directory(fleet: LocalFleet) -> bool:
    """Whether the worker that answers does; which one that is, chance decides."""
    return bool(httpx.get(f"{fleet.api}/readyz").json()["directory"] == "ready")


def assert_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    problem = answer.json()
    assert problem["code"] in ("shard_unavailable", "outcome_unknown")
    assert "shard-1" not in answer.text
