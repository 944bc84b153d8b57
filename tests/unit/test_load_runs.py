"""The stored form of runs: what is written is read, and secrets are neither. Pure but for files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from loadtests.runs.folder import NoRun, Recorded, RunFolder, read, read_run
from loadtests.runs.machine import this_commit, this_machine
from loadtests.runs.moments import Event, Kind, Series, Value
from loadtests.runs.record import Gate, Ledger, Run, public
from loadtests.runs.tally import MOST_KINDS, Answer, Tally
from tests.unit.sample_runs import bare, sample


def written(folder: Path, recorded: Recorded) -> RunFolder:
    files = RunFolder(folder)
    files.begin()
    files.append(recorded.values)
    files.finish(recorded.run, recorded.events)
    return files


@pytest.mark.parametrize("recorded", [sample(5), bare()], ids=["sample", "bare"])
def test_what_is_written_is_read(tmp_path: Path, recorded: Recorded) -> None:
    files = written(tmp_path / "run", recorded)
    found = read(files.path)
    assert found.run == recorded.run
    assert found.events == recorded.events
    assert [value[:3] for value in found.values] == [value[:3] for value in recorded.values]
    values = zip(found.values, recorded.values, strict=True)
    assert all(one.value == pytest.approx(other.value, rel=1e-5) for one, other in values)
    assert files.operations_file.read_text().splitlines()[-1].startswith("all,")
    assert {file.name for file in files.path.iterdir()} == {
        *("run.json", "operations.csv", "seconds.csv", "events.json")
    }


def test_a_used_folder_is_not_begun_again(tmp_path: Path) -> None:
    RunFolder(tmp_path).begin()
    with pytest.raises(FileExistsError):
        RunFolder(tmp_path).begin()


def test_events_that_were_noted_come_in_their_order(tmp_path: Path) -> None:
    files = RunFolder(tmp_path)
    files.begin()
    files.note([Event(second=9, kind=Kind.FAILOVER, text="late")])
    files.note([Event(second=1, kind=Kind.FAILOVER, text="early")])
    files.finish(bare().run, [Event(second=5, kind=Kind.STAGE, text="between")])
    assert [event.text for event in read(tmp_path).events] == ["early", "between", "late"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("run.json", '{"format": 2}', "run.json cannot be read"),
        ("run.json", None, "no run.json"),
        ("seconds.csv", "second,label\n", "does not begin with second,series,label,value"),
        ("seconds.csv", "second,series,label,value\n1,unheard,,1\n", "unheard"),
        ("events.json", None, "is not whole"),
    ],
)
def test_what_cannot_be_read_is_told(
    tmp_path: Path, name: str, text: str | None, said: str
) -> None:
    written(tmp_path, bare())
    if text is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(text)
    with pytest.raises(NoRun, match=said):
        read(tmp_path)


def test_there_is_no_run_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(NoRun, match=r"no run\.json"):
        read_run(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DOCSHARD_ADMIN_PASSWORD", "hidden"),
        ("DOCSHARD_METRICS_TOKEN", "hidden"),
        ("AWS_SECRET_ACCESS_ID", "hidden"),
        ("DOCSHARD_KEY", "hidden"),
        ("DOCSHARD_GLOBAL", "postgresql://app:hidden@127.0.0.1/x"),
        ("DOCSHARD_NOTE", "dsk_0123456789abcdefhidden"),
    ],
)
def test_no_secret_is_kept_and_none_is_told(name: str, value: str) -> None:
    assert public({name: value, "DOCSHARD_POOL_SIZE": "8"}) == {"DOCSHARD_POOL_SIZE": "8"}
    fields = bare().run.model_dump() | {"configuration": {name: value}}
    with pytest.raises(ValidationError) as caught:
        Run.model_validate(fields)
    assert name in str(caught.value)
    assert "hidden" not in str(caught.value)


@given(st.floats(0, 100), st.floats(0, 100))
def test_a_gate_is_reached_at_its_goal_and_on_its_good_side(goal: float, measured: float) -> None:
    most = Gate(name="g", bound="at most", goal=goal, measured=measured)
    least = Gate(name="g", bound="at least", goal=goal, measured=measured)
    assert most.passed == (measured <= goal)
    assert least.passed == (measured >= goal)
    assert not Gate(name="g", bound="at most", goal=goal, measured=None).passed


@pytest.mark.parametrize(
    ("ledger", "passed"),
    [
        (Ledger(acknowledged=3, checked=3, missing=0, doubled=0), True),
        (Ledger(acknowledged=3, checked=2, missing=0, doubled=0), False),
        (Ledger(acknowledged=3, checked=3, missing=1, doubled=0), False),
        (Ledger(acknowledged=3, checked=3, missing=0, doubled=1), False),
    ],
)
def test_a_run_passes_when_its_ledger_balances(ledger: Ledger, passed: bool) -> None:
    assert bare().run.model_copy(update={"ledger": ledger}).passed is passed


def test_a_tally_gives_each_second_once() -> None:
    tally = Tally()
    for second in (0.0, 0.4, 0.9, 1.2, 2.0):
        tally.offer(second)
        tally.count(Answer("get", second, 2000, "late" if second > 1 else None))
    first = list(tally.take_seconds(2.0))
    assert {value.second for value in first} == {0, 1}
    assert Value(0, Series.OFFERED, "", 3) in first
    assert Value(0, Series.REQUESTS, "get", 3) in first
    assert Value(1, Series.FAILURES, "all", 1) in first
    assert Value(0, Series.P99, "all", 2.0) in first
    assert {value.second for value in tally.take_seconds(3.0)} == {2}
    assert not list(tally.take_seconds(9.0))
    assert [(one.requests, one.failures) for one in tally.operations()] == [(5, 2)]


def test_kinds_of_failures_are_bounded() -> None:
    tally = Tally()
    for number in range(3 * MOST_KINDS):
        tally.count(Answer("get", 0, 1, f"failure {number}"))
    (operation,) = tally.operations()
    assert len(operation.errors) == MOST_KINDS + 1
    assert operation.errors[0].error == "other"
    assert sum(error.seen for error in operation.errors) == operation.failures


def test_this_machine_and_this_commit_are_told() -> None:
    machine = this_machine("18.1")
    assert machine.cpus >= 1
    assert machine.memory > 0
    assert this_commit()
