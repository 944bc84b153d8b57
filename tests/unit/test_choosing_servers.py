"""Positions across forks, lag, choice and breakers: on plain data."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from global_db.breaker import Breaker
from global_db.choice import Candidate, Wanted, order
from global_db.lag import Sample, Track
from global_db.position import Fate, Position, fate
from global_db.reading import Served, stalest

AT = Position(timeline=2, lsn=100, written=90, xid=7)


@pytest.mark.parametrize(
    ("timeline", "ancestors", "expected"),
    [
        (2, {}, Fate.KEPT),
        (1, {}, Fate.AHEAD),
        (3, {1: 50, 2: 100}, Fate.KEPT),
        (3, {1: 50, 2: 99}, Fate.ASK),
        (3, {1: 50, 2: 90}, Fate.ASK),
        (3, {1: 50, 2: 89}, Fate.LOST),
        # Timeline 3 forked from 1: whatever was written on 2 was given up.
        (3, {1: 50}, Fate.LOST),
        (5, {1: 50, 2: 200, 3: 300}, Fate.KEPT),
    ],
)
def test_what_becomes_of_a_position(
    timeline: int, ancestors: dict[int, int], expected: Fate
) -> None:
    assert fate(AT, timeline, ancestors) is expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            {"written": "0/90", "xid": "7"},
            {"lsn": "0/A8", "file": "000000020000000000000000"},
            Position(timeline=2, lsn=0xA8, written=0x90, xid=7),
        ),
        # The lower half has no leading noughts, and both count in 32 bits.
        (
            {"written": "A/0", "xid": None},
            {"lsn": "7FFFFFFF/FFFFFFFF", "file": "0000001A7FFFFFFF000000FF"},
            Position(timeline=26, lsn=2**63 - 1, written=10 * 2**32, xid=None),
        ),
    ],
)
def test_a_position_is_read_from_what_the_server_says(
    before: dict[str, str | None], after: dict[str, str], expected: Position
) -> None:
    assert Position.told(before, after) == expected


def test_what_changed_nothing_needs_no_commit_record() -> None:
    assert fate(Position(2, 100, 90, None), 3, {2: 95}) is Fate.KEPT


def test_a_replica_shows_what_the_primary_had_when_it_was_there() -> None:
    track = Track()
    for second, lsn in enumerate((10, 20, 20, 40)):
        track.record(1, Sample(second, lsn))
    assert track.shown_by(1, 9) is None
    assert track.shown_by(1, 19) == Sample(0, 10)
    # Nothing was written between 1 and 2: who has it all at 1 has it all at 2.
    assert track.shown_by(1, 39) == Sample(2, 20)
    assert track.shown_by(1, 1000) == Sample(3, 40)


def test_servers_on_other_timelines_are_not_compared() -> None:
    track = Track()
    track.record(1, Sample(0, 10))
    track.record(2, Sample(1, 5))
    assert track.shown_by(1, 100) is None
    assert track.shown_by(None, 100) is None
    assert track.shown_by(2, 100) == Sample(1, 5)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=3000), st.integers(0, 20_000))
def test_a_track_is_bounded_and_never_flatters(steps: list[int], lsn: int) -> None:
    """A sample that is told was really taken, at or before what the replica has."""
    track, taken, at = Track(), set(), 0
    for second, step in enumerate(steps):
        at += step
        taken.add((second, at))
        track.record(1, Sample(second, at))
    shown = track.shown_by(1, lsn)
    assert len(track._samples) <= 256
    assert shown is None or ((shown.asked_at, shown.lsn) in taken and shown.lsn <= lsn)


def replica(number: int, lsn: int = 100, age: float = 0.1, outstanding: int = 0) -> Candidate:
    return Candidate(number, lsn, age, outstanding, places=10)


def numbers(candidates: list[Candidate], wanted: Wanted) -> list[int]:
    return [one.number for one in order(candidates, wanted, random.Random(1))]


def test_who_is_too_old_or_too_busy_is_not_chosen() -> None:
    assert numbers([replica(0, age=6), replica(1, outstanding=10), replica(2)], Wanted(5)) == [2]
    assert numbers([replica(0, age=6)], Wanted(5)) == []


def test_a_write_that_a_replica_lacks_is_waited_for_only_when_it_is_close() -> None:
    wanted = Wanted(5, lsn=200)
    assert numbers([replica(0, age=0.1)], wanted) == [0]
    assert numbers([replica(0, age=1.0)], wanted) == []
    assert numbers([replica(0, age=1.0, lsn=200)], wanted) == [0]


@given(st.lists(st.integers(0, 9), min_size=2, max_size=6), st.integers(0, 2**32))
def test_the_less_busy_of_two_comes_first(busy: list[int], seed: int) -> None:
    candidates = [replica(number, outstanding=one) for number, one in enumerate(busy)]
    first, second = order(candidates, Wanted(5), random.Random(seed))
    assert first.outstanding <= second.outstanding
    assert first != second


def test_a_server_is_out_at_once_and_in_again_after_several_answers() -> None:
    breaker = Breaker(good_answers_needed=3)
    for answers in (0, 1, 2):
        assert not breaker.trusted, answers
        breaker.good()
    assert breaker.trusted
    breaker.bad()
    breaker.good()
    assert not breaker.trusted


def test_several_answers_are_as_old_as_the_oldest() -> None:
    primary, near, far = Served("primary"), Served("replica", 0.1), Served("replica", 2.0)
    assert stalest([primary]) == primary
    assert stalest([primary, near, far, primary]) == far
    assert stalest([near, Served("replica", None)]) == Served("replica", None)
