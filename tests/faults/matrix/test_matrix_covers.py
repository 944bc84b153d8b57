"""The matrix has every step of the mover, and every day's choice has every step and every fault."""

from collections import Counter

from tests.faults.matrix.cases import chosen, matrix
from tests.faults.matrix.families import FAMILIES
from tests.faults.matrix.points import LISTED, points


def test_no_two_points_have_one_name() -> None:
    assert len(set(map(str, points()))) == len(points())


def test_every_step_is_struck_before_and_after_by_every_family() -> None:
    there = {
        (case.point.state, case.point.step, case.point.done, case.family.name)
        for case in matrix(FAMILIES)
    }
    wanted = {
        (one.state, one.step, done, family.name)
        for one in LISTED
        for done in (False, True)
        for family in FAMILIES
    }
    assert there == wanted
    assert len({str(case) for case in matrix(FAMILIES)}) == len(points()) * len(FAMILIES)


def test_every_day_has_each_step_and_several_of_each_family() -> None:
    everyday = chosen(FAMILIES)
    assert {case.point.step for case in everyday} == {one.step for one in LISTED}
    families = Counter(case.family.name for case in everyday)
    assert set(families) == {one.name for one in FAMILIES}
    assert min(families.values()) >= 3
