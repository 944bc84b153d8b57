"""Who calls when in a load test. Pure."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.arrivals import arrivals
from loadtests.crowd import Caller, Crowd, Group, zipf
from loadtests.scenario import Phase, span_at
from tests.unit.load_runs import scenario

SEEDS = st.integers(0, 2**32)


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


@settings(deadline=None)
@given(PHASES, SEEDS)
def test_arrivals_rise_and_lie_in_phases_that_have_a_load(phases: list[Phase], seed: int) -> None:
    spans = scenario(*phases, seconds=4).spans()
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


@settings(deadline=None)
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
