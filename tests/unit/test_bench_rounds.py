"""Benchmark figures: forms take turns, and ratios are taken within a round. Pure."""

import pytest

from loadtests.bench.rounds import Form, Interval, by_turns, ratio, ratios, table


async def test_forms_take_turns_and_the_first_round_only_warms_up() -> None:
    asked: list[str] = []

    async def measure(name: str) -> float:
        asked.append(name)
        return float(len(asked))

    forms = await by_turns(["a", "b"], measure, rounds=2)
    assert asked == ["a", "b"] * 3
    assert forms == [Form("a", (3, 5)), Form("b", (4, 6))]


def test_ratios_are_of_neighbours() -> None:
    """A machine that slows down for one round slows both forms down: the ratio stays."""
    forms = [Form("plain", (100, 10, 100)), Form("fenced", (50, 5, 50))]
    assert ratios(forms) == [1, 0.5]


def test_median_and_spread() -> None:
    form = Form("plain", (90, 100, 120))
    assert form.median == 100
    assert form.spread == pytest.approx(0.3)
    assert table([form]).splitlines()[1].split() == ["plain", "100", "30%", "1.00"]


def test_few_rounds_bound_the_median_by_their_ends() -> None:
    assert Interval.of([3, 1, 2, 5, 4]) == Interval(3, 1, 5)
    assert Interval.of([7]) == Interval(7, 7, 7)


def test_many_rounds_may_leave_outliers_out() -> None:
    """Of 15 the 4th and the 12th: so the median lies between with 96 in 100."""
    assert Interval.of(range(1, 16)) == Interval(8, 4, 12)
    assert Interval.of([*range(1, 15), 10_000]) == Interval(8, 4, 12)


def test_a_ratio_is_taken_round_by_round() -> None:
    one, other = Form("one", (100, 10, 50)), Form("other", (200, 20, 50))
    assert ratio(one, other) == Interval(0.5, 0.5, 1)
