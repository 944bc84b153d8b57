"""How long guessers wait."""

from hypothesis import given
from hypothesis import strategies as st

from services.identity.lockout import Lockout

RULE = Lockout(free_failures=3, longest_delay=60, forget_after=3600)


def test_some_failures_are_free_then_the_wait_doubles_up_to_a_bound() -> None:
    assert [RULE.delay(failures) for failures in range(12)] == [
        *(0, 0, 0, 0),
        *(1, 2, 4, 8, 16, 32, 60, 60),
    ]
    assert RULE.delay(10**9) == 60


def test_the_wait_is_what_is_left_of_it_in_whole_seconds() -> None:
    assert RULE.wait(6, 0.0) == 4
    assert RULE.wait(6, 0.5) == 4
    assert RULE.wait(6, 3.5) == 1
    assert RULE.wait(6, 4.0) == 0
    # Whoever failed while the clock was ahead is not kept out until it is there again.
    assert RULE.wait(6, -3600.0) == 0


def test_old_failures_are_forgotten() -> None:
    assert RULE.counted(7, 3599) == 8
    assert RULE.counted(7, 3600) == 1


@given(st.integers(0, 10**6), st.floats(0, 10**6))
def test_a_wait_never_outlasts_the_bound(failures: int, elapsed: float) -> None:
    assert 0 <= RULE.wait(failures, elapsed) <= RULE.longest_delay
