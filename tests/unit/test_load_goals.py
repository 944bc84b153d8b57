"""What the run of a load test is judged by. Pure."""

import pytest

from loadtests.acts import Done
from loadtests.crowd import Group
from loadtests.goals import fairness, gates, knee
from loadtests.histogram import Histogram
from loadtests.plan import Figures, Measured, PhaseFigures
from loadtests.runs.moments import Kind
from loadtests.scenario import Act, Goal, Measure, Phase, Scenario
from tests.unit.load_runs import measured, scenario


def figures(offered: int, milliseconds: int, **more: int) -> Figures:
    times = Histogram.of([1000 * milliseconds] * offered)
    return Figures.model_validate({"offered": offered, "right": offered, "times": times} | more)


def phase_of(**groups: Figures) -> PhaseFigures:
    return PhaseFigures(groups={Group(name): one for name, one in groups.items()})


def missed(wanted: Scenario, found: Measured, *done: Done) -> list[str]:
    return [gate.name for gate in gates(wanted, found, done) if not gate.passed]


def test_a_worker_that_never_said_its_last_fails_the_run() -> None:
    assert missed(scenario(), measured(generators_lost=1)) == ["generators lost"]


def test_a_run_without_a_fault_passes_and_an_idle_one_does_not() -> None:
    assert missed(scenario(), measured()) == []
    assert missed(scenario(), measured(outcomes={})) == ["calls"]


@pytest.mark.parametrize(
    ("outcome", "name"),
    [
        ("wrong", "wrong answers"),
        ("broken", "broken calls, part of all"),
        ("refused", "refused calls, part of all"),
    ],
)
def test_a_single_fault_fails_a_run_that_allows_none(outcome: str, name: str) -> None:
    assert missed(scenario(), measured(outcomes={"right": 10**6, outcome: 1})) == [name]


def test_no_scenario_can_allow_a_wrong_answer() -> None:
    allows = scenario(
        goals=[Goal(measure=one, most=1) for one in (Measure.BROKEN, Measure.REFUSED)]
    )
    some = {"right": 5, "refused": 1, "broken": 1}
    assert missed(allows, measured(outcomes=some)) == []
    assert missed(allows, measured(outcomes=some | {"wrong": 1})) == ["wrong answers"]


def test_arrivals_turned_away_are_a_failure_to_keep_up() -> None:
    late = phase_of(others=figures(100, 5, overflow=1))
    assert missed(scenario(), measured(late)) == ["arrivals turned away, part of all"]


def test_a_percentile_that_was_not_measured_is_missed() -> None:
    wanted = scenario(goals=[Goal(measure=Measure.P99, of="get document", most=5)])
    assert missed(wanted, measured()) == ["p99 of get document, ms"]


def test_others_are_compared_with_themselves_without_the_whale() -> None:
    wanted = scenario(
        Phase(name="alone"),
        Phase(name="beside", whale=3),
        goals=[Goal(measure=Measure.FAIRNESS, most=2)],
    )
    alone = phase_of(others=figures(100, 10))
    beside = phase_of(others=figures(100, 30), whale=figures(300, 900))
    found = fairness(wanted, measured(alone, beside))
    assert found is not None
    assert found.ratio == pytest.approx(3, rel=0.01)
    assert missed(wanted, measured(alone, beside)) == [
        "others' p99 with the whale, times that without"
    ]
    assert fairness(wanted, measured(PhaseFigures(), beside)) is None


def test_disturbance_compares_later_phases_with_the_first() -> None:
    goals = [Goal(measure=Measure.DISTURBANCE, most=1.5)]
    wanted = scenario(Phase(name="steady"), Phase(name="moving"), goals=goals)
    steady, moving = (phase_of(others=figures(100, ms)) for ms in (10, 16))
    name = "p99 of later phases, times that of the first"
    assert missed(wanted, measured(steady, steady)) == []
    assert missed(wanted, measured(steady, moving)) == [name]
    assert missed(wanted, measured(steady, PhaseFigures())) == [name]


def test_the_knee_is_the_last_rate_before_the_first_that_was_not_kept_up_with() -> None:
    wanted = scenario(*(Phase(name=str(n), times=n) for n in (1, 2, 3, 4)))
    kept = phase_of(others=figures(100, 20))
    slow = phase_of(others=figures(100, 600))
    turned_away = phase_of(others=figures(100, 20, overflow=1))
    failing = phase_of(others=figures(100, 20, right=90))
    for late in (slow, turned_away, failing):
        assert knee(wanted, measured(kept, kept, late, kept)) == 20
    assert knee(wanted, measured(slow, kept, kept, kept)) == 0
    assert knee(wanted, measured(kept, *[PhaseFigures()] * 3)) == 10


def test_recovery_counts_from_the_end_of_the_mending_act_to_the_last_fault() -> None:
    hurt = Act(at=0.1, do="docshard pause x", kind=Kind.FAULT)
    mend = Act(at=0.5, do="docshard resume x", kind=Kind.FAULT, mends=True)
    wanted = scenario(
        acts=[hurt, mend],
        goals=[Goal(measure=Measure.RECOVERY, most=5), Goal(measure=Measure.REFUSED, most=1)],
    )
    done = (Done(hurt, 10, 11), Done(mend, 50, 52))
    assert missed(wanted, measured(last_fault=57), *done) == []
    assert missed(wanted, measured(last_fault=57.5), *done) == ["last fault behind the mending, s"]
    # What was not done, or ended only behind the load, proves nothing.
    late = (done[0], Done(mend, 90, 101))
    assert missed(wanted, measured(), *late) == ["acts done under load"]
    assert "acts done under load" in missed(wanted, measured(), done[0])
