"""Which addresses a shard may be given: judged on what servers say of themselves (I3)."""

from __future__ import annotations

import pytest

from global_db.probe import Place
from services.fleet.shard_addresses import Answers, judge

_HERE, _THERE = ("a", 5432), ("b", 5432)


def place(life: int, *, standby: bool = False, system: int = 1) -> Place:
    return Place(0.0, standby, 1, 0, None, system, life)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        # The same server by another name; one whose old address is dead; with a replica.
        ({_HERE: place(1)}, {_THERE: place(1)}, []),
        ({_HERE: None}, {_THERE: place(2)}, []),
        ({_HERE: place(1)}, {_HERE: place(1), _THERE: place(2, standby=True)}, []),
        # A replica that leaves may live on.
        ({_HERE: place(2, standby=True)}, {_THERE: place(1)}, []),
        ({_HERE: place(1)}, {_THERE: None}, ["no primary", "takes writes"]),
        ({_HERE: None}, {_THERE: place(2, standby=True)}, ["no primary"]),
        ({_HERE: place(1)}, {_THERE: place(2)}, ["takes writes"]),
        ({_HERE: None}, {_HERE: place(1), _THERE: place(2)}, ["several primaries"]),
        ({_HERE: place(1, standby=True)}, {_THERE: place(2, system=9)}, ["another cluster"]),
        (
            {_HERE: None},
            {_HERE: place(1), _THERE: place(2, standby=True, system=9)},
            ["another cluster"],
        ),
    ],
)
def test_one_primary_and_no_other_cluster(
    old: dict[tuple[str, int], Place | None],
    new: dict[tuple[str, int], Place | None],
    told: list[str],
) -> None:
    found = [one.what for one in judge(Answers(old, new))]
    assert len(found) == len(told)
    assert all(part in what for part, what in zip(told, found, strict=True))
