"""Load tests: which fleet they find, who calls when, and what a run is judged by. Pure."""

from collections import Counter
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.acts import ActFailed, Done, words
from loadtests.arrivals import arrivals
from loadtests.calls import OPERATIONS
from loadtests.calls.desk import Broken, Refused, Reply, Wrong, fault, outcome_of
from loadtests.calls.own import Books
from loadtests.crowd import Caller, Crowd, Group, zipf
from loadtests.goals import fairness, gates, knee
from loadtests.histogram import Histogram
from loadtests.plan import Figures, Measured, Outcome, PhaseFigures, Told
from loadtests.progress import Progress
from loadtests.recorder import Ended, Recorder
from loadtests.runs.moments import Kind, Series
from loadtests.runs.record import Model
from loadtests.scenario import Act, Goal, Measure, NoScenario, Phase, Scenario, names, read, span_at
from loadtests.target import NoTarget, Target, find_target, parse
from loadtests.tenants import Readable, Tenant, busiest_first
from loadtests.workers import Forwarder, receive

MIX = {"get document": 1}
SEEDS = st.integers(0, 2**32)


def scenario(*phases: Phase, **more: object) -> Scenario:
    given = {"title": "t", "model": "open", "rate": 10, "seconds": 100, "mix": MIX} | more
    return Scenario.model_validate(given | ({"phases": phases} if phases else {}))


def measured(*phases: PhaseFigures, **more: object) -> Measured:
    given = {"started_at": 0, "seconds": 100, "operations": (), "outcomes": {"right": 1}} | more
    return Measured.model_validate(given | {"phases": phases or (PhaseFigures(),)})


def figures(offered: int, milliseconds: int, **more: int) -> Figures:
    times = Histogram.of([1000 * milliseconds] * offered)
    return Figures.model_validate({"offered": offered, "right": offered, "times": times} | more)


def phase_of(**groups: Figures) -> PhaseFigures:
    return PhaseFigures(groups={Group(name): one for name, one in groups.items()})


def missed(wanted: Scenario, found: Measured, *done: Done) -> list[str]:
    return [gate.name for gate in gates(wanted, found, done) if not gate.passed]


def test_the_environment_wins_over_the_file_of_the_local_fleet(tmp_path: Path) -> None:
    (tmp_path / "env").write_text(
        "# a comment\nexport DOCSHARD_API='http://127.0.0.1:8080'\n"
        "DOCSHARD_ADMIN_EMAIL=admin@example.org\nDOCSHARD_ADMIN_PASSWORD='two words'\n"
    )
    environment = {"DOCSHARD_HOME": str(tmp_path), "DOCSHARD_API": "http://elsewhere"}
    expected = Target("http://elsewhere", "admin@example.org", "two words")
    assert find_target(environment) == expected


def test_without_a_fleet_it_says_what_is_absent(tmp_path: Path) -> None:
    with pytest.raises(NoTarget, match=r"DOCSHARD_ADMIN_PASSWORD.*make up"):
        find_target({"DOCSHARD_HOME": str(tmp_path)})


def test_words_that_are_no_variables_are_passed_over() -> None:
    assert parse("export A=1\n\n# B=2\n") == {"A": "1"}


def test_tenants_with_most_documents_are_the_busiest() -> None:
    def tenant(code: str, size: int) -> Tenant:
        documents = (Readable(id=UUID(int=n), name="n", size=1, checksum="c") for n in range(size))
        return Tenant(
            client_id=UUID(int=0), code=code, shard="s", key="k", documents=tuple(documents)
        )

    ordered = busiest_first([tenant("b", 1), tenant("a", 1), tenant("c", 9)])
    assert [one.code for one in ordered] == ["c", "a", "b"]


@pytest.mark.parametrize("name", names())
def test_every_scenario_can_be_read_and_asks_for_calls_that_there_are(name: str) -> None:
    found = read(name)
    assert set(found.mix) <= set(OPERATIONS)
    assert found.spans()[-1].end == pytest.approx(found.seconds)


def test_a_scenario_takes_what_it_is_told_and_refuses_what_is_not_its_models() -> None:
    assert read("steady", rate=5.0, seconds=7, users=None).load == 5
    with pytest.raises(NoScenario, match="a closed model has `users`"):
        read("steady", users=3)
    with pytest.raises(NoScenario, match="smoke"):
        read("nothing")


def test_a_file_with_a_word_that_nobody_knows_is_no_scenario(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('title = "t"\nmodel = "open"\nrate = 1\nuserz = 2\n[mix]\n"get document" = 1\n')
    with pytest.raises(NoScenario, match="userz"):
        read(str(file))


PHASES = st.lists(
    st.builds(
        Phase,
        name=st.just("p"),
        share=st.integers(1, 5),
        times=st.integers(0, 4),
        whale=st.integers(0, 3),
    ),
    min_size=1,
    max_size=4,
)


@given(PHASES, SEEDS)
def test_arrivals_rise_and_lie_in_phases_that_have_a_load(phases: list[Phase], seed: int) -> None:
    spans = scenario(*phases, seconds=20).spans()
    due = list(arrivals(spans, Random(seed)))
    assert due == sorted(due)
    assert all(spans[span_at(spans, second)].load for second in due)
    assert due == list(arrivals(spans, Random(seed)))


def test_arrivals_are_as_many_as_a_poisson_process_has() -> None:
    # Mean and variance of 400 runs of 50 arrivals: both 50, within five standard errors.
    spans = scenario(rate=10, seconds=5).spans()
    counts = [sum(1 for _ in arrivals(spans, Random(seed))) for seed in range(400)]
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / (len(counts) - 1)
    assert mean == pytest.approx(50, abs=5 * (50 / 400) ** 0.5)
    assert variance == pytest.approx(50, abs=5 * 50 * (2 / 399) ** 0.5)


def test_several_generators_make_the_whole_rate() -> None:
    spans = scenario(rate=10, seconds=100).spans()
    parts = [list(arrivals(spans, Random(seed), 1 / 4)) for seed in range(4)]
    assert sum(map(len, parts)) == pytest.approx(1000, abs=5 * 1000**0.5)


@pytest.mark.parametrize("skew", [0.8, 1.0, 1.2])
def test_tenants_call_by_zipfs_law(skew: float) -> None:
    crowd, chance, calls = Crowd(12, skew, whale=False), Random(1), 20_000
    seen = Counter(crowd.pick(Phase(name="p"), chance).tenant for _ in range(calls))
    weights = zipf(12, skew)
    for tenant, weight in enumerate(weights):
        expected = calls * weight / sum(weights)
        assert seen[tenant] == pytest.approx(expected, abs=5 * expected**0.5)


@given(st.integers(2, 20), SEEDS)
def test_a_whale_is_never_one_of_the_others(count: int, seed: int) -> None:
    crowd, chance = Crowd(count, 1.0, whale=True), Random(seed)
    beside = Phase(name="with it", whale=2)
    for caller in [crowd.pick(beside, chance) for _ in range(50)]:
        assert (caller.group is Group.WHALE) == (caller.tenant == 0)
    assert crowd.pick(Phase(name="without"), chance).group is Group.OTHERS


def test_a_whale_asks_its_part_and_a_flash_lights_the_quietest() -> None:
    crowd, chance = Crowd(5, 1.0, whale=True), Random(1)
    beside = [crowd.pick(Phase(name="p", whale=3), chance).group for _ in range(4000)]
    assert beside.count(Group.WHALE) == pytest.approx(3000, abs=150)
    lit = [crowd.pick(Phase(name="p", flash=1), chance) for _ in range(9)]
    assert lit == [Caller(4)] * 9


def test_a_whale_needs_others() -> None:
    with pytest.raises(ValueError, match="others"):
        Crowd(1, 1.0, whale=True)


def answer(status: int, body: bytes = b"{}") -> Reply:
    return Reply(status, body, {})


@pytest.mark.parametrize(
    ("reply", "expected", "kind"),
    [
        (answer(200), 200, None),
        (answer(404, b'{"code": "not_found"}'), 200, Wrong),
        (answer(412), 204, Wrong),
        (answer(429), 200, Refused),
        (answer(503, b'{"code": "overloaded"}'), 200, Refused),
        (answer(500), 200, Broken),
        (answer(502, b"<html>"), 200, Broken),
        (answer(0, b""), 200, Broken),
    ],
    ids=lambda value: str(getattr(value, "status", value)),
)
def test_what_an_answer_is(reply: Reply, expected: int, kind: type[Exception] | None) -> None:
    error = fault(reply, expected, None)
    assert (error and type(error)) == kind


def test_a_right_status_with_a_wrong_body_is_wrong() -> None:
    assert str(fault(answer(200), 200, lambda _: "another document")) == "another document"
    unreadable = fault(answer(200, b"no JSON"), 200, lambda reply: reply.json()["id"])
    assert isinstance(unreadable, Wrong)


def test_errors_of_the_transport_are_broken_calls() -> None:
    assert outcome_of(ConnectionResetError()) is Outcome.BROKEN
    assert outcome_of(Wrong("x")) is Outcome.WRONG
    assert outcome_of(None) is Outcome.RIGHT


def test_calls_count_in_the_phase_of_their_intended_start() -> None:
    wanted = scenario(Phase(name="a"), Phase(name="b"))
    recorder = Recorder(wanted.spans(), Model.OPEN)
    recorder.offered(49.9, Group.OTHERS)
    recorder.ended(Ended("get", 49.9, 51.0, Group.OTHERS, 1100, Outcome.RIGHT))
    recorder.offered(60, Group.OTHERS)
    recorder.overflowed(60, Group.OTHERS)
    first, second = (one.of(Group.OTHERS) for one in recorder.phases)
    assert (first.offered, first.right, first.overflow) == (1, 1, 0)
    assert (second.offered, second.right, second.overflow) == (1, 0, 1)
    told = {(v.second, v.series) for v in recorder.take_seconds(100)}
    assert {(49, Series.OFFERED), (60, Series.OFFERED), (51, Series.REQUESTS)} <= told


def test_what_a_worker_forwards_is_counted_as_if_it_had_been_counted_there() -> None:
    spans = scenario(Phase(name="a"), Phase(name="b")).spans()
    here, there = Recorder(spans, Model.OPEN), Recorder(spans, Model.OPEN)
    books, kept = Books("run"), Books("run")
    worker = Forwarder(books)
    books.open(3, "mark").patches.append("change a")
    call = Ended("get", 1.5, 2.5, Group.WHALE, 1000, Outcome.REFUSED, "503 overloaded")
    for counting in (here, worker):
        counting.offered(1.5, Group.WHALE)
        counting.overflowed(1.7, Group.OTHERS)
        counting.ended(call)
    data: dict[str, Any] = {}
    worker.report(data, last=False)
    assert not receive(data, there, kept)
    assert kept.entries == []  # they may still change
    worker.report(data, last=True)
    assert receive(data, there, kept)
    assert there == here
    assert [entry.patches for entry in kept.entries] == [["change a"]]
    assert not receive({}, there, kept)


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


def test_words_in_braces_become_what_the_fleet_knows() -> None:
    command = "docshard move create '{half of shard-1}' --to shard-2"
    known = {"half of shard-1": ["a", "b"]}
    assert words(command, known) == ["move", "create", "a", "b", "--to", "shard-2"]
    assert words("docshard shard drain {added}", {"added": ["x"]}) == ["shard", "drain", "x"]
    with pytest.raises(ActFailed, match="half of shard-1"):
        words(command, {"half of shard-1": []})


def test_elsewhere_than_on_a_terminal_progress_is_a_line_now_and_then() -> None:
    out = StringIO()
    progress = Progress(10, out)
    for second in range(12):
        progress.show(
            Told(
                second=second,
                started_at=0,
                phase="steady",
                under_way=2,
                answers=10 * second,
                failed=0,
                overflow=1,
                p99_ms=12,
            )
        )
    assert out.getvalue().splitlines() == [
        "5 of 10 s, steady: 10 answers/s, p99 12 ms, 2 under way, 0 failed, 1 turned away",
        "10 of 10 s, steady: 10 answers/s, p99 12 ms, 2 under way, 0 failed, 1 turned away",
    ]
