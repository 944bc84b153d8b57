"""How far moves are, what is left, and when nobody can say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from global_db.moves import Move
from services.errors import Conflict
from services.fleet.move_eta import Circumstances
from services.fleet.move_overview import Overview, is_unattended, overview
from services.fleet.move_progress import Amount, progress_of, switch_seconds
from services.fleet.move_verification import sides

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FORESEEN = {"rows": 1000, "bytes": 10_000, "seconds": 10.0, "seconds_range": [5.0, 40.0]}


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def move(state: str = "planned", **fields: Any) -> Move:
    plain = Move(
        id=uuid4(),
        rebalance_id=UUID(int=1),
        source="shard-1",
        target="shard-3",
        state=state,
        generation=0,
        lease_owner=None,
        lease_until=None,
        predicted=FORESEEN,
        actual={},
        created_at=ago(60),
        updated_at=ago(1),
        position=0,
        wish="run",
        attempts=0,
        not_before=None,
        fault=None,
        reverses=None,
        retries=None,
        progress={},
        facts={},
        state_since=ago(1),
        switched_at=None,
        sweep_after=None,
        reason="",
        created_by=None,
    )
    return replace(plain, **fields)


def copying(part: float, seconds: float) -> Move:
    progress = {
        "rows": int(1000 * part),
        "bytes": int(10_000 * part),
        "rows_total": 1000,
        "bytes_total": 10_000,
        "lag_bytes": 77,
        "at": NOW.isoformat(),
    }
    return move("copying", progress=progress, state_since=ago(seconds))


def switched(seconds: float, grace_left: float = 3) -> Move:
    phases = {"planned": 50.0, "copying": seconds * 0.8, "verifying": seconds * 0.2}
    return move(
        "switched",
        actual={"rows": 1000, "bytes": 10_000, "pause_ms": 20, "phases": phases},
        switched_at=ago(2),
        sweep_after=NOW + timedelta(seconds=grace_left),
    )


def seen(*moves: Move, **around: Any) -> Overview:
    return overview(moves, Circumstances(NOW, **({"grace_seconds": 5.0} | around)))


def test_a_copying_move_tells_rows_rate_and_lag() -> None:
    one = progress_of(copying(0.25, seconds=5))
    assert one.rows == Amount(250, 1000)
    assert one.bytes == Amount(2500, 10_000)
    assert one.bytes_per_second == 500
    assert one.lag_bytes == 77
    assert one.part == pytest.approx(0.2)


def test_a_tenant_that_grew_is_never_beyond_its_whole() -> None:
    grown = replace(copying(1, 5), progress={"rows": 1200, "rows_total": 1000})
    assert progress_of(grown).rows == Amount(1200, 1200)


def test_what_was_never_measured_has_no_total() -> None:
    assert seen(move(predicted={}), move()).rows == Amount(0, None)


def test_before_anything_is_measured_the_plans_own_range_is_told_as_such() -> None:
    eta = seen(move()).eta
    assert eta.low == 5 + 5
    assert eta.high is not None
    assert eta.high > 40 + 5
    assert "guess" in eta.why


def test_what_ended_moves_took_stretches_what_is_left() -> None:
    quick = seen(switched(10), *[move() for _ in range(4)]).eta
    slow = seen(switched(30), *[move() for _ in range(4)]).eta
    assert quick.low is not None
    assert slow.low == pytest.approx(3 * (quick.low - 5) + 5)
    assert not quick.why


def test_the_range_narrows_with_what_is_known() -> None:
    few = seen(switched(10), move()).eta
    many = seen(*[switched(10) for _ in range(25)], move()).eta
    assert few.low is not None and few.high is not None
    assert many.low is not None and many.high is not None
    assert many.high - many.low < few.high - few.low


def test_behind_the_switch_only_the_grace_and_the_sweep_are_left() -> None:
    eta = seen(switched(10, grace_left=30)).eta
    assert eta.low == 30
    assert eta.high is not None
    assert 30 < eta.high < 60


@pytest.mark.parametrize(
    ("moves", "around", "why"),
    [
        ([move()], {"paused": True}, "paused"),
        ([move(updated_at=ago(60), state_since=ago(60))], {}, "no worker runs moves"),
    ],
)
def test_nothing_is_told_while_nothing_moves(
    moves: list[Move], around: dict[str, Any], why: str
) -> None:
    eta = seen(*moves, **around).eta
    assert (eta.low, eta.high, eta.why) == (None, None, why)


def test_a_size_that_nobody_measured_leaves_the_end_open() -> None:
    eta = seen(move(predicted=FORESEEN | {"seconds_range": [5.0, None]})).eta
    assert eta.high is None
    assert eta.low is not None
    assert "measured" in eta.why


def test_an_unknown_grace_leaves_the_end_open() -> None:
    assert seen(move(), grace_seconds=None).eta.high is None
    # Others of the same fleet tell it.
    assert seen(move(), switched(10), grace_seconds=None).eta.high is not None


def test_one_lease_is_enough_for_all_that_wait() -> None:
    old: dict[str, Any] = {"updated_at": ago(60), "state_since": ago(60)}
    waiting = move(**old)
    running = move("copying", **old, lease_until=NOW + timedelta(seconds=2))
    assert is_unattended([waiting], NOW)
    assert not is_unattended([waiting, running], NOW)
    assert is_unattended([waiting, replace(running, lease_until=ago(11))], NOW)
    assert not is_unattended([waiting, replace(running, lease_until=ago(3))], NOW)


def test_what_is_not_due_needs_nobody() -> None:
    old: dict[str, Any] = {"updated_at": ago(60), "state_since": ago(60)}
    later = NOW + timedelta(seconds=5)
    assert not is_unattended([move(**old, wish="pause")], NOW)
    assert not is_unattended([move(**old, not_before=later)], NOW)
    assert not is_unattended([move("switched", **old, sweep_after=later)], NOW)
    assert not is_unattended([move("swept", **old)], NOW)


def test_an_aborted_move_is_lost_unless_another_takes_its_clients_over() -> None:
    aborted = move("aborted", facts={"retry": True})
    assert seen(aborted).lost == (aborted.id,)
    assert seen(aborted, retrying=True).lost == ()
    assert seen(aborted, move(retries=aborted.id)).lost == ()


def test_states_come_in_the_order_of_a_moves_life_and_retried_ones_count_once() -> None:
    aborted = move("aborted")
    whole = seen(move("swept", progress={"rows": 1000}), move(retries=aborted.id), aborted)
    assert list(whole.states.items()) == [("planned", 1), ("swept", 1), ("aborted", 1)]
    assert whole.rows == Amount(1000, 2000)
    assert not whole.ended


def test_seconds_to_the_switch_leave_out_waiting_and_grace() -> None:
    assert switch_seconds(switched(10)) == pytest.approx(10)
    assert switch_seconds(move("copying", actual={"phases": {"copying": 3}})) is None


def test_rows_are_compared_along_the_stream_that_runs() -> None:
    ahead, behind = sides(move("verifying")), sides(move("switched", facts={"way_back": True}))
    assert (ahead.leader, ahead.follower, ahead.mover.forward.back) == ("shard-1", "shard-3", False)
    assert (behind.leader, behind.follower, behind.mover.forward.back) == (
        *("shard-3", "shard-1"),
        True,
    )


@pytest.mark.parametrize(
    ("state", "facts"),
    [("planned", {}), ("copying", {}), ("swept", {"way_back": True}), ("switched", {})],
)
def test_rows_that_one_shard_has_alone_are_not_compared(state: str, facts: dict[str, Any]) -> None:
    with pytest.raises(Conflict, match=state):
        sides(move(state, facts=facts))
