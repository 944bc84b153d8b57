"""A shard is added and filled while every tenant is read and written: nobody notices."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from deploy.errors import Exit
from shards.ring import Ring
from tests.acceptance.api import connect, log_in, make_key
from tests.acceptance.fleet import LocalFleet, local_fleet, until
from tests.faults.tenant_load import Ledger, Rhythm, lost_or_doubled, under_load

TENANTS = 16
# Enough to be felt in every phase, and little enough for two cores that do all the rest as well.
RHYTHM = Rhythm(write=0.2, read=0.4)


@pytest.fixture(scope="module")
def growing() -> Iterator[LocalFleet]:
    """A fleet of two shards of this test's own: it grows."""
    with local_fleet(shards=2) as started:
        started.run("up", "--no-demo")
        yield started


@pytest.fixture(scope="module")
def operator(growing: LocalFleet) -> Iterator[httpx.Client]:
    with connect(growing, log_in(growing)) as http:
        yield http


def told(fleet: LocalFleet, *arguments: str) -> dict[str, Any]:
    """What `docshard … -o json` says."""
    document: dict[str, Any] = json.loads(fleet.run(*arguments, "-o", "json").stdout)
    return document


def admit(admin: httpx.Client) -> Ledger:
    body = {"code": f"moved-{uuid4().hex[:20]}", "name": "A tenant"}
    made = admin.post("/v1/clients", json=body).raise_for_status().json()
    return Ledger(made["id"], make_key(admin, made["id"])["key"])


def shard_of(admin: httpx.Client, ledger: Ledger) -> str:
    path = f"/v1/clients/{ledger.client_id}/placement"
    return str(admin.get(path).raise_for_status().json()["shard"])


@pytest.mark.versions
def test_a_shard_is_added_and_filled_while_everybody_works(
    growing: LocalFleet, operator: httpx.Client, tell: Callable[[str], None]
) -> None:
    """I1, I2, I3, I6: no request fails, no acknowledged write is lost or doubled, nothing stays."""
    ledgers = [admit(operator) for _ in range(TENANTS)]
    with under_load(growing.api, ledgers, RHYTHM):
        until(lambda: all(len(one.made) > 3 or one.faults for one in ledgers), seconds=60)
        steady = time.monotonic()
        assert told(growing, "shard", "add")["shard"] == "shard-3"
        begun = time.monotonic()
        seen = told(growing, "rebalance", "start", "--goal", "ring", "--wait", "--reason", "grown")
        ended = time.monotonic()
        written = [len(one.acknowledged) for one in ledgers]
        until(
            lambda: all(
                len(one.acknowledged) > before + 3 or one.faults
                for one, before in zip(ledgers, written, strict=True)
            ),
            seconds=60,
        )
    assert [one.faults for one in ledgers if one.faults] == []
    assert [fault for one in ledgers for fault in lost_or_doubled(growing.api, one)] == []

    ring = Ring({f"shard-{number}": 1 for number in (1, 2, 3)})
    homes = {one.client_id: ring.home(UUID(one.client_id)) for one in ledgers}
    assert {one.client_id: shard_of(operator, one) for one in ledgers} == homes
    moved = [one for one in ledgers if homes[one.client_id] == "shard-3"]
    assert moved, "nobody's home is the new shard: more tenants are needed"
    assert sum(len(clients_of(growing, one["id"])) for one in seen["moves"]) == len(moved)

    assert seen["rebalance"]["state"] == "finished"
    assert {one["state"] for one in seen["moves"]} == {"swept"}
    assert all(
        told(growing, "move", "show", one["id"])["move"]["leftovers"] == [] for one in seen["moves"]
    )
    assert growing.run("doctor", check=False).returncode == Exit.OK
    tell_figures(tell, ledgers, moved, (steady, begun, ended))


def clients_of(fleet: LocalFleet, move_id: str) -> Sequence[Any]:
    found: Sequence[Any] = told(fleet, "move", "show", move_id)["move"]["clients"]
    return found


def tell_figures(
    tell: Callable[[str], None],
    ledgers: Sequence[Ledger],
    moved: Sequence[Ledger],
    moments: tuple[float, float, float],
) -> None:
    steady, begun, ended = moments
    writes, reads = sum(len(one.acknowledged) for one in ledgers), sum(one.reads for one in ledgers)
    again = sum((one.again for one in ledgers), start=type(ledgers[0].again)())
    quiet = max(one.longest_gap(0, steady) for one in ledgers)
    switched = max(one.longest_gap(begun, ended) for one in moved)
    stayed = max(one.longest_gap(begun, ended) for one in ledgers if one not in moved)
    tell(
        f"{len(moved)} of {len(ledgers)} tenants moved in {ended - begun:.1f} s; {writes} writes "
        f"and {reads} reads, sent again: {dict(again) or 'none'}"
    )
    tell(
        f"longest gap between a tenant's writes, its callers' pauses included: {quiet:.2f} s "
        f"before, {switched:.2f} s of those who moved, {stayed:.2f} s of those who stayed"
    )
