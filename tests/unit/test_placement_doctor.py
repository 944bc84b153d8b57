"""What the doctor makes of a tenant, as the directory and the shards tell of it (I6)."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import pytest

from global_db.placements import Placed
from services.fleet.placement_doctor import (
    Drop,
    MarkGone,
    Misplaced,
    RemoveRows,
    Tenant,
    judge_objects,
    judge_tenant,
)
from shards.census import MoveObject, Resident

CLIENT, MOVE = UUID(int=1), UUID(int=2)
PLACED = Placed(CLIENT, "acme", "shard-1", 3)


def resident(state: str, epoch: int = 3, age: float = 100) -> Resident:
    return Resident(CLIENT, epoch, state, MOVE if state != "open" else None, age)


def found(
    placed: Placed | None = PLACED,
    holders: Collection[str] = ("shard-1",),
    unseen: Collection[str] = (),
    **residents: Resident,
) -> list[Misplaced]:
    """Residencies by the number of their shard, as in s1=…"""
    by_name = {f"shard-{name[1:]}": one for name, one in residents.items()}
    return list(
        judge_tenant(Tenant(CLIENT, placed, by_name, frozenset(holders), frozenset(unseen)))
    )


HOME = resident("open")


def test_a_tenant_at_home_is_no_finding() -> None:
    assert found(s1=HOME) == []
    assert found(s1=HOME, s2=resident("gone", 2)) == []
    assert found(None, holders=(), s2=resident("gone", 1)) == []


@pytest.mark.parametrize(
    ("home", "expected"),
    [
        (None, "does not know client acme"),
        (resident("open", 2), "at epoch 2, the directory at 3"),
        (resident("fenced"), "as fenced, for no move"),
        (resident("importing"), "as importing, for no move"),
        (resident("gone"), "as gone, for no move"),
    ],
)
def test_a_tenant_without_a_home_is_for_people_to_decide(
    home: Resident | None, expected: str
) -> None:
    (one,) = found(s1=home) if home else found()
    assert (one.shard, one.mend) == ("shard-1", None)
    assert expected in one.what


def test_an_erasure_goes_on_by_the_command_that_began_it() -> None:
    (one,) = found(Placed(CLIENT, "acme", "shard-1", 3, erasing=True), s1=resident("gone"))
    assert one.mend is None
    assert f"docshard client erase {CLIENT}" in one.advice


@pytest.mark.parametrize("state", ["open", "fenced", "gone"])
def test_a_directory_restored_to_the_past_is_the_only_finding(state: str) -> None:
    """Nothing is mended on the word of an old directory."""
    (one,) = found(s1=resident("gone"), s2=resident(state, 4), holders=("shard-1", "shard-2"))
    assert (one.shard, one.mend) == ("shard-2", None)
    assert "knows client acme" in one.what
    assert "the directory at 3" in one.what
    assert "restored to the past" in one.advice


def test_what_is_elsewhere_is_mended_while_home_is_in_order() -> None:
    twice = resident("open", 2)
    half = resident("importing", 4)
    swept = resident("gone", 2)
    both = ("shard-1", "shard-2")
    for stray, mend in (
        (twice, MarkGone(twice)),
        (half, RemoveRows(CLIENT, half)),
        (swept, RemoveRows(CLIENT, swept)),
    ):
        (one,) = found(s1=HOME, s2=stray, holders=both)
        assert (one.shard, one.mend) == ("shard-2", mend)
    (one,) = found(s1=HOME, holders=both)
    assert one.mend == RemoveRows(CLIENT, None)


def test_nothing_elsewhere_is_touched_while_home_is_not_in_order() -> None:
    """It may be the only copy."""
    for home in (None, resident("gone"), resident("open", 2)):
        for stray in (resident("open", 2), resident("importing", 4), resident("gone", 2)):
            lone = found(holders=("shard-2",), s2=stray)
            beside = found(holders=("shard-2",), s1=home, s2=stray) if home else lone
            assert [one.mend for one in beside if one.mend] == []
    away = found(s2=resident("open", 2), unseen=("shard-1",), holders=())
    assert [one.mend for one in away] == [None]


def test_what_is_young_is_left_to_whoever_is_at_work() -> None:
    young = resident("importing", 4, age=5)
    assert found(s1=HOME, s2=young, holders=("shard-1", "shard-2")) == []
    assert found(s1=resident("fenced", age=5)) == []
    assert found(None, holders=(), s1=resident("open", 1, age=5)) == []


def test_an_unknown_tenant_is_debris_only_without_rows() -> None:
    admitted = resident("open", 1)
    (one,) = found(None, holders=(), s1=admitted)
    assert one.mend == MarkGone(admitted)
    (one,) = found(None, holders=("shard-1",), s1=admitted)
    assert one.mend is None
    assert "has rows of" in one.what
    (one,) = found(None, holders=("shard-1",))
    assert one.mend is None


def test_what_moves_left_is_dropped_once_they_are_over() -> None:
    left = MoveObject("slot", f"docshard_move_{MOVE.hex}", MOVE, busy=False)
    assert list(judge_objects("shard-1", [left], {MOVE})) == []
    (one,) = judge_objects("shard-1", [left], set())
    assert one.mend == Drop(left)
    read = MoveObject("slot", left.name, MOVE, busy=True)
    (one,) = judge_objects("shard-1", [read], set())
    assert one.mend is None
