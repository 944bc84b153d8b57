"""What growth costs is told by pairs of rounds. Pure."""

import pytest

from loadtests.bench.sample import Sample
from loadtests.bench.scale import Compared


def sample(server: float, database: float, rate: float = 100) -> Sample:
    return Sample(rate, server, database, callers=30)


def test_the_cost_is_of_router_and_databases_together_round_by_round() -> None:
    small = [sample(300, 100), sample(600, 200), sample(300, 100)]
    grown = [sample(300, 140), sample(600, 280), sample(300, 180)]
    assert Compared("point read", small, grown).ratio().value == pytest.approx(1.1)


def test_what_two_fleets_differ_by_before_one_grows_is_no_growth() -> None:
    small, grown = [sample(300, 100)] * 3, [sample(360, 100)] * 3
    found = Compared("point read", small, grown)
    assert found.ratio(before=1.15).value == pytest.approx(1)


def test_medians_are_told_of_both() -> None:
    small = [sample(300, 10.04, rate=800)] * 3
    grown = [sample(310, 12, rate=400)] * 3
    told = ("point read", "300", "310", "10", "12", "10", "20")
    assert Compared("point read", small, grown).row() == told
