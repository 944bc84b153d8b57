"""`docshard client top` and `docshard rebalance plan`, on a fleet that serves."""

import json
from typing import Any

from tests.acceptance.api import Tenant
from tests.acceptance.fleet import LocalFleet, until


def shown(fleet: LocalFleet, *arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(fleet.run(*arguments, "-o", "json").stdout)
    assert document["schema_version"] == 1
    return document


def test_who_was_served_is_told_and_who_stores_is_measured(
    tenant: Tenant, fleet: LocalFleet
) -> None:
    def top(order: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = shown(fleet, "client", "top", "--by", order)["clients"]
        return found

    tenant.make_document()
    until(lambda: top("writes") and top("bytes"), seconds=90)
    written = top("writes")
    assert all(one["writes_per_second"] > 0 for one in written)
    assert written == sorted(written, key=lambda one: -one["writes_per_second"])
    assert "bytes" in fleet.run("client", "top", "--limit", "1").stdout


def test_a_plan_tells_what_would_move_and_what_that_takes(
    tenant: Tenant, fleet: LocalFleet
) -> None:
    made = shown(fleet, "rebalance", "plan", "--goal", "ring")["plan"]
    named = [client for batch in made["batches"] for client in batch["clients"]]
    assert len(named) == made["clients"] <= made["clients_in_fleet"]
    assert made["imbalance"]["after"]["clients"] >= 1
    for goal in ("ring", "load", "drain"):
        table = fleet.run("rebalance", "plan", "--goal", goal).stdout
        assert goal in table
        assert "now" in table
