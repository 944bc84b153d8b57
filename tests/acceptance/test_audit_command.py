"""`docshard audit`: what an operator sees, verifies and takes away."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.api import Tenant, make_tenant
from tests.acceptance.fleet import LocalFleet, until


@pytest.fixture(scope="module")
def audited(fleet: LocalFleet, admin: httpx.Client) -> Iterator[Tenant]:
    for made in make_tenant(fleet, admin):
        for _ in range(3):
            made.make_document()
        until(partial(linked, made))
        yield made


def linked(tenant: Tenant) -> bool:
    entries = tenant.http.get(f"/v1/clients/{tenant.id}/audit-logs").json()["items"]
    return all(entry["seq"] is not None for entry in entries)


def run(fleet: LocalFleet, *arguments: str) -> tuple[int, Any]:
    done = fleet.run("audit", *arguments, "-o", "json", check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def test_entries_are_listed(fleet: LocalFleet, audited: Tenant) -> None:
    status, found = run(fleet, "list", "--client", audited.id, "--action", "document.create")
    assert status == 0
    assert [row["action"] for row in found["entries"]] == ["document.create"] * 3
    assert fleet.run("audit", "list", check=False).returncode == 2


def test_all_chains_verify(fleet: LocalFleet, audited: Tenant) -> None:
    status, found = run(fleet, "verify", "--all")
    assert (status, {one["ok"] for one in found["chains"]}) == (0, {True})
    assert found["chains"][0]["chain"] == "global"


def test_an_export_verifies_offline(fleet: LocalFleet, audited: Tenant, tmp_path: Path) -> None:
    folder = str(tmp_path / "export")
    why = ("--reason", "the yearly audit")

    assert run(fleet, "export", "--client", audited.id, "--into", folder, *why)[0] == 0
    status, found = run(fleet, "verify", "--export", folder)
    assert (status, found["export"]["ok"], found["export"]["rows"]) == (0, True, 3)
    assert run(fleet, "export", "--client", audited.id, "--into", folder)[0] == 5
    _, told = run(fleet, "list", "--global", "--action", "audit.export")
    assert told["entries"][0]["reason"] == "the yearly audit"
    lines = tmp_path / "export" / "audit.jsonl"
    lines.write_text(lines.read_text().replace("document.create", "document.delete", 1))
    status, found = run(fleet, "verify", "--export", folder)
    assert (status, found["export"]["first_bad_seq"]) == (6, 1)
