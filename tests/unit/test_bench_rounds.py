"""Benchmark figures: forms take turns, and ratios are taken within a round. Pure."""

import pytest

from loadtests.bench.rounds import Form, by_turns, ratios, table


async def test_forms_take_turns_and_the_first_round_only_warms_up() -> None:
    asked: list[str] = []

    async def measure(name: str) -> float:
        asked.append(name)
        return float(len(asked))

    forms = await by_turns(["a", "b"], measure, rounds=2)
    assert asked == ["a", "b"] * 3
    assert forms == [Form("a", (3, 5)), Form("b", (4, 6))]


def test_ratios_are_of_neighbours() -> None:
    """A machine that slows down for one round slows both forms down: the ratio stays."""
    forms = [Form("plain", (100, 10, 100)), Form("fenced", (50, 5, 50))]
    assert ratios(forms) == [1, 0.5]


def test_median_and_spread() -> None:
    form = Form("plain", (90, 100, 120))
    assert form.median == 100
    assert form.spread == pytest.approx(0.3)
    assert table([form]).splitlines()[1].split() == ["plain", "100", "30%", "1.00"]
