"""A shard is restored to a moment before tenants came and went: who is served from it, and who not.

All of them go on being served where the directory has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.acceptance.api import Tenant
from tests.acceptance.backed import await_archived, backed_fleet, into, make_documents, started
from tests.acceptance.fleet import LocalFleet
from tests.faults.writers import tenant_on

__all__ = ["into"]

# Minutes of servers that are backed up and restored.
pytestmark = pytest.mark.torture

POINT = "before-the-moves"


@pytest.fixture(scope="module")
def fleet() -> Iterator[LocalFleet]:
    with backed_fleet(shards=2) as made:
        yield made


@pytest.fixture
def tenants(fleet: LocalFleet) -> Iterator[dict[str, Tenant]]:
    """By what becomes of them; who arrives lives on the other shard at first."""
    homes = {"stays": "shard-1", "leaves": "shard-1", "is_back": "shard-1", "arrives": "shard-2"}
    with ExitStack() as stack:
        yield {name: stack.enter_context(tenant_on(fleet, shard)) for name, shard in homes.items()}


def move(fleet: LocalFleet, tenant: Tenant, shard: str) -> None:
    fleet.run("move", "create", tenant.id, "--to", shard, "--reason", "a trial", "--wait")


def states(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """How each tenant stands in a shard's residency."""
    found = connection.execute("SELECT client_id::text, state FROM docshard.residency")
    return dict(found.fetchall())


def test_who_moved_since_is_not_served_from_the_past(
    fleet: LocalFleet, tenants: dict[str, Tenant], into: Path
) -> None:
    """I3 and I6: every mismatch is found and told, nobody is open in two places."""
    before = {name: make_documents(tenant, 2) for name, tenant in tenants.items()}
    fleet.run("backup", "now", "--point", POINT, "--reason", "a trial")
    await_archived(fleet)
    move(fleet, tenants["leaves"], "shard-2")
    move(fleet, tenants["arrives"], "shard-1")
    move(fleet, tenants["is_back"], "shard-2")
    move(fleet, tenants["is_back"], "shard-1")

    command = ("backup", "restore", "--to", POINT, "--shard", "shard-1", "-o", "json")
    told = json.loads(fleet.run(*command, "--into", str(into), check=False).stdout)
    refused = {one["client_id"]: one for one in told["refused"]}
    mismatched = ("leaves", "is_back", "arrives")
    assert refused.keys() == {tenants[name].id for name in mismatched}
    assert all(one["why"] and one["advice"] for one in refused.values())
    assert told["served"] >= 1

    (cluster,) = told["clusters"]
    with started(fleet, Path(cluster["data"]), cluster["port"]) as restored:
        found = states(restored)
        rows = restored.execute("SELECT client_id::text, id::text FROM docshard.documents")
        kept = {(client, document) for client, document in rows}
    assert found[tenants["stays"].id] == "open"
    assert found[tenants["leaves"].id] == found[tenants["is_back"].id] == "gone"
    assert tenants["arrives"].id not in found
    # Closed, and still there to be looked at.
    for name in ("stays", "leaves", "is_back"):
        assert {(tenants[name].id, one) for one in before[name]} <= kept

    for name, tenant in tenants.items():
        after = make_documents(tenant, 1)
        listed = tenant.http.get(tenant.documents).raise_for_status().json()["items"]
        assert {one["id"] for one in listed} == before[name] | after
