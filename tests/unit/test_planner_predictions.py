"""Predictions of moves: ranges that are wide while little is known, and learn. Pure."""

from uuid import UUID

import pytest

from services.fleet.planner.duration import AtOnce, duration
from services.fleet.planner.plan import Batch
from services.fleet.planner.prediction import (
    DEFAULT_PACE,
    Past,
    Prediction,
    Span,
    Weight,
    learn,
    predict,
)

SOME = Weight(rows=200_000, bytes=100_000_000, writes=10)


def test_without_a_history_the_range_is_wide() -> None:
    seconds = predict(SOME).seconds
    assert seconds.high is not None
    assert seconds.high > 10 * seconds.low
    assert seconds.low < seconds.likely < seconds.high


def test_what_nobody_has_measured_has_no_end() -> None:
    assert predict(Weight(0, 0, 0, known=False)).seconds.high is None


def test_a_tenant_that_writes_faster_than_is_applied_has_no_end() -> None:
    made = predict(Weight(100, 100, DEFAULT_PACE.applied_per_second))
    assert made.seconds.high is None
    assert made.pause_ms.high is None


def test_more_of_anything_takes_longer() -> None:
    base = predict(SOME).seconds.likely
    for more in (
        Weight(SOME.rows * 4, SOME.bytes, SOME.writes),
        Weight(SOME.rows, SOME.bytes * 4, SOME.writes),
        Weight(SOME.rows, SOME.bytes, SOME.writes + 1000),
    ):
        assert predict(more).seconds.likely > base


def test_few_moves_teach_nothing() -> None:
    assert learn([Past(1000, 10_000, 90.0, 900.0)] * 2) is DEFAULT_PACE


@pytest.mark.parametrize("slower", [0.2, 1.0, 7.0])
def test_moves_teach_how_fast_and_how_surely(slower: float) -> None:
    truth = predict(SOME).seconds.likely * slower
    past = [
        Past(SOME.rows, SOME.bytes, truth * wobble, 40.0 * wobble)
        for wobble in (0.8, 0.9, 1.0, 1.0, 1.1, 1.2) * 20
    ]
    learnt = predict(SOME, learn(past))
    assert learnt.seconds.likely == pytest.approx(truth, rel=0.02)
    assert learnt.pause_ms.likely == 40
    assert learnt.seconds.high is not None
    assert learnt.seconds.low == pytest.approx(truth * 0.8, rel=0.05)
    assert learnt.seconds.high == pytest.approx(truth * 1.2, rel=0.05)


def test_the_fewer_moves_the_wider_the_range() -> None:
    def width(count: int) -> float:
        seconds = predict(SOME, learn([Past(SOME.rows, SOME.bytes, 5.0, 30.0)] * count)).seconds
        assert seconds.high is not None
        return seconds.high / seconds.low

    assert width(3) > width(10) > width(100)


def batch(source: str, target: str, span: Span) -> Batch:
    return Batch(source, target, (UUID(int=1),), 1, 1, Prediction(span, Span(1, 2, 3)))


def test_a_plan_lasts_as_long_as_its_busiest_shard() -> None:
    two = Span(1, 2, 4)
    batches = [batch("a", "c", two), batch("b", "c", two), batch("a", "d", two)]
    alone = duration(batches, AtOnce(1, 1))
    assert (alone.low, alone.likely) == (2, 4)
    # Not longer than its source and then its target are busy, and one more batch.
    assert alone.high == 8 + 8 + 4
    assert duration(batches, AtOnce(2, 2)).likely == 2
    assert duration([*batches, batch("a", "b", Span(1, 1, None))], AtOnce()).high is None
