"""Load tests: which fleet they find, who is busy, and what their figures say. Pure."""

from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.results import Failure, Operation, Results, percentile, table
from loadtests.target import NoTarget, Target, find_target, parse
from loadtests.tenants import Scenario, Tenant


def operation(name: str, times: dict[int, int], failures: int = 0) -> Operation:
    seen = sum(times.values())
    return Operation(name=name, requests=seen, failures=failures, slowest=max(times), times=times)


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
        documents = tuple(map(UUID, (f"{n:032x}" for n in range(size))))
        return Tenant(client_id=UUID(int=0), code=code, key="k", documents=documents)

    scenario = Scenario.of([tenant("b", 1), tenant("a", 1), tenant("c", 9)])
    assert [t.code for t in scenario.tenants] == ["c", "a", "b"]
    assert scenario.weights == pytest.approx([1, 1 / 2, 1 / 3])


@given(st.lists(st.integers(0, 500), min_size=1), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_percentile_is_the_smallest_time_that_covers_its_part(
    times: list[int], part: float
) -> None:
    counted = {time: times.count(time) for time in times}
    found = percentile(counted, part)
    assert sum(time <= found for time in times) >= part * len(times)
    assert sum(time < found for time in times) < part * len(times)


def test_the_table_is_aligned_and_ends_with_the_sum() -> None:
    operations = (operation("write", {10: 90, 200: 10}, failures=1), operation("get", {1: 900}))
    lines = table(Results(seconds=10, operations=operations, failures=())).splitlines()
    assert [line.split()[:4] for line in lines[1:]] == [
        ["get", "900", "90.0", "0"],
        ["write", "100", "10.0", "1"],
        ["all", "1,000", "100.0", "1"],
    ]
    assert len({len(line) for line in lines}) == 1


def test_one_failure_or_no_request_at_all_is_a_failed_run() -> None:
    good = Results(seconds=1, operations=(operation("get", {1: 1}),), failures=())
    failure = Failure(operation="get", error="500", seen=1)
    assert good.passed
    assert not good.model_copy(update={"failures": (failure,)}).passed
    assert not Results(seconds=1, operations=(), failures=()).passed
