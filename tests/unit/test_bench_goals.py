"""Who judges a benchmark: goals, the baseline, what is said of both. Pure."""

from datetime import date

import pytest

from loadtests.bench.goals import Baseline, Goal, faults, judged, verdict_table
from loadtests.bench.rounds import Interval

DAY = date(2026, 11, 23)


def sure(value: float) -> Interval:
    return Interval(value, value, value)


def baseline(**ratios: float) -> Baseline:
    return Baseline(commit="abc", day=DAY, machine="2 cores", ratios=ratios)


def test_a_ratio_must_reach_its_goal_and_a_time_must_stay_below() -> None:
    assert Goal("read", 0.75).met(0.75)
    assert not Goal("read", 0.75).met(0.74)
    assert Goal("search, ms", 30, most=True).met(30)
    assert not Goal("search, ms", 30, most=True).met(30.1)


def test_it_is_said_which_goal_is_missed_and_by_how_much() -> None:
    figures = {"read": sure(0.7), "list": sure(0.9), "search": sure(31)}
    goals = [Goal("read", 0.75), Goal("list", 0.7), Goal("search", 30, most=True)]
    found = faults(judged(figures, goals, None))
    assert found == ["read is 0.70, the goal ≥ 0.75", "search is 31.00, the goal ≤ 30"]


def test_a_tenth_below_the_baseline_is_let_pass_and_more_is_not() -> None:
    figures = {"read": sure(0.9), "list": sure(0.89), "new": sure(0.1)}
    found = faults(judged(figures, [], baseline(read=1.0, list=1.0)))
    assert found == ["list is 0.89, the baseline 1.0"]


def test_a_figure_can_be_wrong_twice_and_better_is_never_wrong() -> None:
    goals = [Goal("read", 0.75)]
    assert len(faults(judged({"read": sure(0.5)}, goals, baseline(read=0.9)))) == 2
    assert not faults(judged({"read": sure(2.0)}, goals, baseline(read=0.9)))


def test_a_goal_without_its_figure_is_no_success() -> None:
    with pytest.raises(LookupError, match="list"):
        judged({"read": sure(1)}, [Goal("list", 0.7)], None)


def test_the_table_shows_noise_goal_and_baseline() -> None:
    figures = {"read": Interval(0.7, 0.65, 0.72), "more": sure(1)}
    verdicts = judged(figures, [Goal("read", 0.75)], baseline(read=0.8))
    lines = verdict_table(verdicts).splitlines()
    assert lines[1].split("  ")[-1] == "missed, worse"
    for word in ("0.70", "0.65 to 0.72", "≥ 0.75", "0.80"):
        assert word in lines[1]
    assert lines[2].split() == ["more", "1.00", "1.00", "to", "1.00"]


def test_a_baseline_is_kept_as_it_was_taken() -> None:
    taken = Baseline.taken({"read": sure(0.71239)}, "abc", DAY, "2 cores, x86_64")
    assert Baseline.model_validate_json(taken.model_dump_json()) == taken
    assert taken.ratios == {"read": 0.712}
    assert taken.speaks_of("2 cores, x86_64")
    assert not taken.speaks_of("8 cores, x86_64")
