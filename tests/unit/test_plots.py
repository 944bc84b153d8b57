"""Axes: round numbers around every value, places inside of the axis. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plots.scales import Linear, Logarithmic, decimal_marks, even_marks, path, ticks

POSITIVE = st.floats(1e-6, 1e12)


@given(POSITIVE, st.integers(2, 12))
def test_even_marks_reach_the_highest_and_are_few(high: float, most: int) -> None:
    marks = even_marks(high, most)
    assert marks[0] == 0
    assert marks[-1] >= high * (1 - 1e-6)
    assert marks[-2] < high
    assert 2 <= len(marks) <= most + 1


@pytest.mark.parametrize(
    ("high", "marks"),
    [(0, [0, 1]), (-3, [0, 1]), (6, [0, 1, 2, 3, 4, 5, 6]), (90, [0, 20, 40, 60, 80, 100])],
)
def test_even_marks_are_round(high: float, marks: list[float]) -> None:
    assert even_marks(high) == marks


@given(POSITIVE, POSITIVE)
def test_decimal_marks_enclose_what_is_between(one: float, other: float) -> None:
    low, high = sorted((one, other))
    marks = decimal_marks(low, high)
    assert marks == sorted(marks)
    assert marks[0] <= low * (1 + 1e-9)
    assert marks[-1] >= high * (1 - 1e-9)


@given(POSITIVE, POSITIVE, POSITIVE)
def test_places_keep_the_order_and_the_axis(one: float, other: float, third: float) -> None:
    low, value, high = sorted((one, other, third))
    for scale in (Linear(low, high, 10, 90), Logarithmic(low, high, 10, 90)):
        assert 10 - 1e-6 <= scale.at(value) <= 90 + 1e-6
        assert scale.at(low) <= scale.at(value) + 1e-6
        if low == high:
            assert scale.at(low) == 50


def test_ticks_and_paths_are_what_svg_reads() -> None:
    scale = Linear(0, 3, 0, 100)
    assert [(tick.at, tick.text) for tick in ticks(scale, (1, 2), str)] == [
        (33.3, "1"),
        (66.7, "2"),
    ]
    assert path([(1 / 3, 2), (4, 5)]) == "0.3,2.0 4.0,5.0"
