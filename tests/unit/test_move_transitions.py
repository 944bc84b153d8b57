"""What follows what in a move: plain thinking."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.fleet.moving.run import Terms
from services.fleet.moving.steps import STEPS, THEN
from services.fleet.moving.throttle import Allowance
from services.fleet.moving.transitions import (
    BEFORE_SWITCH,
    ENDED,
    FOLLOWING,
    State,
    Trouble,
    after_trouble,
    taken_over,
)
from services.move_settings import MoveSettings

STATES = st.sampled_from(sorted(State))


def test_a_move_that_has_switched_is_never_aborted() -> None:
    assert State.SWITCHED not in BEFORE_SWITCH
    assert FOLLOWING[State.SWITCHED] == {State.SWEPT}
    assert all(not FOLLOWING[state] for state in ENDED)


def test_every_state_before_the_fence_has_steps_and_knows_what_follows() -> None:
    for state in BEFORE_SWITCH - {State.FENCED}:
        names = [step.name for step in STEPS[state]]
        assert names
        assert len(set(names)) == len(names)
    for state, then in THEN.items():
        assert then in FOLLOWING[state]


@given(STATES, st.booleans())
def test_a_run_that_takes_over_goes_where_it_may(state: State, same_servers: bool) -> None:
    onward = taken_over(state, same_servers=same_servers)
    assert onward is state or onward in FOLLOWING[state]


def test_a_switch_that_was_interrupted_is_given_up() -> None:
    assert taken_over(State.FENCED, same_servers=True) is State.ABORTED


@pytest.mark.parametrize("state", [State.CATCHING_UP, State.VERIFYING])
def test_after_a_failover_the_copy_begins_again(state: State) -> None:
    assert taken_over(state, same_servers=False) is State.COPYING
    assert taken_over(state, same_servers=True) is state


@given(STATES, st.sampled_from(sorted(Trouble)), st.integers(1, 1000))
def test_trouble_leads_where_a_move_may_go_and_never_spins(
    state: State, trouble: Trouble, attempts: int
) -> None:
    reaction = after_trouble(state, trouble, attempts)
    assert reaction.state is state or reaction.state in FOLLOWING[state]
    assert reaction.seconds <= 60
    assert reaction.seconds >= 0.5 or state is State.FENCED


def test_a_copy_that_cannot_be_trusted_is_made_anew_and_in_the_end_given_up() -> None:
    assert after_trouble(State.VERIFYING, Trouble.WORTHLESS, 1).state is State.COPYING
    assert after_trouble(State.VERIFYING, Trouble.NOT_NOW, 1).state is State.VERIFYING
    assert after_trouble(State.VERIFYING, Trouble.NOT_NOW, 3).state is State.COPYING
    assert after_trouble(State.COPYING, Trouble.NOT_NOW, 8).state is State.ABORTED
    assert after_trouble(State.PLANNED, Trouble.NOT_NOW, 100).state is State.PLANNED


def test_the_tenants_that_may_be_closed_wait_for_seconds_only() -> None:
    for state in (State.ABORTED, State.SWITCHED):
        assert after_trouble(state, Trouble.NOT_NOW, 50).seconds == 5.0


def test_an_allowance_is_kept_over_time() -> None:
    allowance = Allowance(1000)
    now, spent = 100.0, 0
    for _ in range(50):
        spent += 500
        now += allowance.wait(500, now)
    # A second may have been saved before the first byte.
    assert 1000 * (now - 100.0 + 1.0) >= spent
    assert now - 100.0 == pytest.approx(spent / 1000 - 1.0, abs=0.6)


def test_a_rebalance_may_keep_no_way_back_at_all() -> None:
    settings = MoveSettings(grace_seconds=60)
    assert Terms.of(settings, {"grace_seconds": 0.0}).grace_seconds == 0.0
    assert Terms.of(settings, {"grace_seconds": 5}).grace_seconds == 5.0
    assert Terms.of(settings, {}).grace_seconds == 60.0


def test_without_an_allowance_nothing_waits() -> None:
    assert Allowance(None).wait(10**9, 0.0) == 0.0
