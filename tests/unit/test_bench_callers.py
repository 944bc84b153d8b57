"""What a writer is said to have seen counts from when its writes were due."""

import pytest

from loadtests.bench.callers import Caller, Seen, Write, seen

# A pause of 60 ms from 100.000 on, met by a writer of 50 a second.
WRITES = [Write(100.0 + n * 0.02, max(100.0 + n * 0.02 + 0.002, 100.06)) for n in range(6)]


def test_a_write_that_waits_is_timed_from_when_it_was_due() -> None:
    found = seen(WRITES)
    assert found.longest_ms == pytest.approx(60)
    assert found.gap_ms == pytest.approx(20)
    assert seen([*WRITES[3:], Write(99.98, 99.982)]).gap_ms == pytest.approx(80)


def test_only_writes_that_were_due_in_the_window_count() -> None:
    caller = Caller("a tenant", "a key", list(reversed(WRITES)))
    assert caller.seen(100.01, 100.05) == seen(WRITES[1:3])
    assert isinstance(caller.seen(0.0, 200.0), Seen)
    assert caller.seen(100.01, 200.0).longest_ms == pytest.approx(40)
