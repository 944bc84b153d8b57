"""Load tests: which fleet they find, what they call, what they count. Pure."""

from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from loadtests.acts import ActFailed, words
from loadtests.calls import OPERATIONS
from loadtests.calls.desk import Broken, Refused, Reply, Wrong, fault, outcome_of
from loadtests.calls.own import Books
from loadtests.crowd import Group
from loadtests.plan import Outcome, Told
from loadtests.progress import Progress
from loadtests.recorder import Ended, Recorder
from loadtests.runs.moments import Series
from loadtests.runs.record import Model
from loadtests.scenario import NoScenario, Phase, names, read
from loadtests.target import NoTarget, Target, find_target, parse
from loadtests.tenants import Readable, Tenant, busiest_first
from loadtests.workers import Forwarder, receive
from tests.unit.load_runs import scenario


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
