"""Runs compared: intervals on known numbers, verdicts, and the command's exit status."""

import math
import random
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from deploy.cli.main import run
from loadtests.__main__ import main
from loadtests.comparison.intervals import difference, ratio, student
from loadtests.comparison.judgement import Verdict, compare
from loadtests.runs.folder import RunFolder
from loadtests.runs.record import Run
from tests.unit.sample_runs import bare, sample

VALUES = st.lists(st.floats(1, 1000), min_size=2, max_size=9)


def test_the_interval_is_welchs() -> None:
    # Variances 1 and 4 of three values each: the difference's is 5/3, with (5/3)² / (1/18 + 16/18)
    # = 2.94 degrees of freedom, for which the table's line of 2 stands.
    found = difference((1, 2, 3), (2, 4, 6))
    assert found.estimate == 2
    assert found.low == pytest.approx(2 - 4.303 * math.sqrt(5 / 3))
    assert found.high == pytest.approx(2 + 4.303 * math.sqrt(5 / 3))


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(1 - 1e-12, 12.706), (1.9, 12.706), (2, 4.303), (4.5, 2.776), (30, 2.042), (1e9, 1.980)],
)
def test_students_points_are_never_too_small(degrees: float, expected: float) -> None:
    assert student(degrees) == expected


@given(VALUES, VALUES)
def test_intervals_hold_their_estimates_and_turn_with_their_sides(
    a: list[float], b: list[float]
) -> None:
    there, back = ratio(a, b), ratio(b, a)
    assert there is not None
    assert back is not None
    assert there.low is not None
    assert there.high is not None
    assert there.low <= there.estimate <= there.high
    assert back.low == pytest.approx(1 / there.high)
    assert back.high == pytest.approx(1 / there.low)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    chance = random.Random(1)
    held = 0
    for _ in range(400):
        a, b = ([chance.gauss(10, sigma) for _ in range(n)] for sigma, n in ((1, 4), (3, 6)))
        found = difference(a, b)
        held += found.low is not None and found.high is not None and found.low <= 0 <= found.high
    assert 372 <= held <= 396


def test_one_run_has_no_interval_and_nothing_has_no_ratio() -> None:
    assert difference([1.0], [2.0, 3.0]).low is None
    assert ratio([0.0, 1.0], [1.0, 2.0]) is None
    assert difference([2.0, 2.0], [2.0, 2.0]).high == 0


def runs(slower: float, *seeds: int) -> list[Run]:
    return [sample(10, seed, slower, rate=40).run for seed in seeds]


def verdicts(a: list[Run], b: list[Run], allowed: float) -> dict[str, Verdict]:
    return {one.figure.name: one.verdict for one in compare(a, b, allowed).figures}


def test_what_grew_by_half_is_worse_unless_that_is_allowed() -> None:
    a, b = runs(1.0, 1, 2, 3), runs(1.5, 4, 5, 6)
    found = compare(a, b, 0.1)
    assert found.interval
    assert found.worse
    assert verdicts(a, b, 0.1)["all, p50"] is Verdict.WORSE
    assert verdicts(b, a, 0.1)["all, p50"] is Verdict.BETTER
    assert not compare(b, a, 0.1).worse
    assert not compare(a, b, 1.0).worse
    assert not compare(a, runs(1.0, 4, 5, 6), 0.1).worse


def test_operations_are_told_always_and_judged_when_asked() -> None:
    a, b = runs(1.0, 1, 2), runs(1.0, 3, 4)
    slow = [_with_slow_creations(run) for run in b]
    told = {one.figure.name: one for one in compare(a, slow, 0.1).figures}
    assert told["create, p50"].verdict is Verdict.WORSE
    assert not told["create, p50"].figure.judged
    assert compare(a, slow, 0.1, operations=True).worse


def _with_slow_creations(run: Run) -> Run:
    slow = sample(10, run.seed, 3.0, rate=40).run
    fast = (one for one in run.operations if one.name != "create")
    creations = next(one for one in slow.operations if one.name == "create")
    return run.model_copy(update={"operations": (creations, *fast)})


def test_more_failures_are_worse_whatever_is_allowed() -> None:
    a, b = runs(1.0, 1, 2), runs(1.0, 1, 2)
    failed = [
        run.model_copy(
            update={
                "operations": tuple(
                    one.model_copy(update={"failures": one.requests // 10})
                    for one in run.operations
                )
            }
        )
        for run in b
    ]
    assert verdicts(a, failed, 1.0)["failed"] is Verdict.WORSE


def test_it_says_what_else_was_not_the_same() -> None:
    a, b = runs(1.0, 1), runs(1.0, 2)
    other = b[0].model_copy(update={"commit": "else", "scenario": "soak"})
    assert not compare(a, b, 0.1).differences
    assert compare(a, [other], 0.1).differences == (
        "scenario: step-to-knee against soak",
        "commit: 0123456789ab against else",
    )
    assert not compare([bare().run], [bare().run], 0.1).worse


def stored(folder: Path, found: list[Run]) -> Path:
    for number, one in enumerate(found):
        files = RunFolder(folder / str(number))
        files.begin()
        files.finish(one)
    return folder


def invoked(*words: object) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, words)])


def test_the_command_tells_the_interval_and_fails_when_b_is_worse(tmp_path: Path) -> None:
    a = stored(tmp_path / "a", runs(1.0, 1, 2, 3))
    b = stored(tmp_path / "b", runs(1.5, 4, 5, 6))
    worse = invoked(a, b)
    assert worse.exit_code == 1, worse.output
    assert "B is worse than A." in worse.stderr
    assert "95% interval" in worse.stdout
    assert invoked(b, a).exit_code == 0
    assert invoked(a, b, "--allow", "100").exit_code == 0
    several = ",".join(str(b / name) for name in "012")
    document = orjson.loads(invoked(a, several, "-o", "json").stdout)
    assert document["worse"]
    assert document["confidence"] == 0.95


def test_with_one_run_each_it_says_that_there_is_no_interval(tmp_path: Path) -> None:
    a, b = (stored(tmp_path / name, runs(1.0, 1)) / "0" for name in "ab")
    found = invoked(a, b)
    assert found.exit_code == 0
    assert "No interval can be given" in found.stderr
    assert orjson.loads(invoked(a, b, "-o", "json").stdout)["confidence"] is None


def test_the_docshard_command_passes_words_and_status_on(tmp_path: Path) -> None:
    a = stored(tmp_path / "a", runs(1.0, 1))
    b = stored(tmp_path / "b", runs(1.5, 1))
    assert run(["load", "compare", str(a), str(b), "--allow", "5"]) == 1


def test_no_run_is_a_usage_error(tmp_path: Path) -> None:
    found = invoked(tmp_path, tmp_path)
    assert found.exit_code == 2
    assert "there is no run.json" in found.stderr
