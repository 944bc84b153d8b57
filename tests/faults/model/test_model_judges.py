"""The model's own eye: what it must not believe, on histories made by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar

import httpx
import pytest

from tests.faults.model.beliefs import ACTIVE, PREFIX, Beliefs, Placement, Tenant
from tests.faults.model.closing import FleetHistories

ONE, TWO = f"{PREFIX}1", f"{PREFIX}2"
PINNED = Placement("shard-2", 3, pinned=True, status=ACTIVE)


class Judge(FleetHistories):
    tally: ClassVar[Counter[str]] = Counter()


@pytest.fixture
def tenant() -> Tenant:
    """Pinned to its shard; it has sent two documents, and was answered of one."""
    return Tenant(
        *(0, "a client", httpx.AsyncClient()),
        sent={ONE, TWO},
        crowd={ONE: "id-1"},
        pinned_to=frozenset({"shard-2"}),
        epoch=3,
    )


def shown(name: str, number: int) -> dict[str, Any]:
    return {"original_name": name, "id": f"id-{number}"}


def test_what_is_as_it_was_told_is_believed(tenant: Tenant) -> None:
    Beliefs([tenant]).check_placement(tenant, PINNED)
    for found in ([shown(ONE, 1)], [shown(ONE, 1), shown(TWO, 2)]):
        Judge().check_crowd(tenant, tenant.crowd, found)


@pytest.mark.parametrize(
    "found",
    [
        replace(PINNED, epoch=2),
        replace(PINNED, shard="shard-1"),
        replace(PINNED, shard="shard-3"),
        replace(PINNED, pinned=False),
        replace(PINNED, status="suspended"),
    ],
    ids=[
        "an epoch comes back",
        "a pinned tenant moves",
        "its shard has left",
        "a pin is lost",
        "another status",
    ],
)
def test_other_placements_are_told(tenant: Tenant, found: Placement) -> None:
    beliefs = Beliefs([tenant], removed={"shard-3"})
    with pytest.raises(AssertionError):
        beliefs.check_placement(tenant, found)


def test_somebody_new_on_a_shard_that_drains_is_told() -> None:
    with pytest.raises(AssertionError, match="somebody new"):
        Beliefs(draining={"shard-1"}).check_newcomer("shard-1")


@pytest.mark.parametrize(
    "found",
    [
        [],
        [shown(ONE, 2)],
        [shown(ONE, 1), shown(TWO, 2), shown(TWO, 3)],
        [shown(ONE, 1), shown(f"{PREFIX}3", 3)],
    ],
    ids=["lost", "another id", "doubled", "never sent"],
)
def test_other_documents_are_told(tenant: Tenant, found: list[dict[str, Any]]) -> None:
    with pytest.raises(AssertionError):
        Judge().check_crowd(tenant, tenant.crowd, found)


def test_who_is_barred_all_the_time_is_told_from_who_was_let_in_meanwhile(tenant: Tenant) -> None:
    seen = []
    for status, changing, turns in (
        ("active", False, 0),
        ("suspended", False, 1),
        ("suspended", True, 1),
        ("suspended", False, 3),
    ):
        tenant.status, tenant.changing, tenant.turns = status, changing, turns
        seen.append(tenant.barred)
    assert seen == [None, 1, None, 3]
