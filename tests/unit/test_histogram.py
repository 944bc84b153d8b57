"""The histogram of times against exact percentiles. Pure."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.histogram import Histogram, place, top

VALUES = st.lists(st.integers(0, 10**9), min_size=1)
PARTS = st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0])


def exact(values: list[int], part: float) -> int:
    """The smallest value that covers its part of all."""
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


@settings(deadline=None)
@given(VALUES, PARTS)
def test_percentiles_are_at_most_a_thousandth_above_the_exact_ones(
    values: list[int], part: float
) -> None:
    found, wanted = Histogram.of(values).percentile(part), exact(values, part)
    assert wanted <= found <= wanted * 1.001


@settings(deadline=None)
@given(st.integers(0, 2**62))
def test_places_follow_their_values_and_overlap_nowhere(value: int) -> None:
    index = place(value)
    assert top(index - 1) < value <= top(index) if value else index == 0
    assert place(top(index)) == index
    assert place(top(index) + 1) == index + 1


@settings(deadline=None)
@given(VALUES, VALUES)
def test_the_sum_of_two_is_the_histogram_of_both(some: list[int], others: list[int]) -> None:
    both = Histogram.of(some)
    both.add(Histogram.of(others))
    assert both == Histogram.of(some + others)
    assert both.total == len(some) + len(others)


@settings(deadline=None)
@given(VALUES)
def test_it_is_stored_whole(values: list[int]) -> None:
    made = Histogram.of(values)
    assert Histogram.model_validate_json(made.model_dump_json()) == made


def test_nothing_counted_is_zero() -> None:
    assert (Histogram().percentile(0.99), Histogram().largest, Histogram().total) == (0, 0, 0)


@pytest.mark.parametrize("value", [-5, 0])
def test_what_ended_before_it_began_took_no_time(value: int) -> None:
    assert Histogram.of([value]).percentile(1.0) == 0
