"""The table that people get of a run."""

from tests.faults.matrix.results import Result, markdown, text

SHOWN = [
    Result("runner_killed", 1, "swept", 1200, 0.25, 2.0),
    Result("runner_killed", 2, "aborted", 300, 1.5, 1.0),
    Result("line_cut", 1, "swept", 10, 0.1, 0.5),
]


def test_each_family_has_a_row_and_all_have_one() -> None:
    lines = text(SHOWN).splitlines()
    assert [line.split()[0] for line in lines] == ["fault", "line_cut", "runner_killed", "all"]
    assert lines[2].split() == ["runner_killed", "2", "3", "1", "1", "1,500", "1.50", "2.00"]
    assert lines[3].split() == ["all", "3", "4", "2", "1", "1,510", "1.50", "2.00"]


def test_the_docs_get_the_same_below_a_headline() -> None:
    headline, _, *table = markdown(SHOWN, "today").splitlines()
    assert headline == "today"
    assert len(table) == len(text(SHOWN).splitlines()) + 1
    assert all(line.startswith("| ") and line.endswith(" |") for line in table)


def test_results_pass_from_process_to_process() -> None:
    assert [Result(**one.plain()) for one in SHOWN] == SHOWN
