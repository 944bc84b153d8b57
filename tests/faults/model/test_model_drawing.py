"""A seed chooses a history's steps, and nothing that a fleet does has a part in it."""

from collections import Counter
from collections.abc import Callable
from typing import ClassVar

from tests.faults.model.closing import FleetHistories
from tests.faults.model.playing import play

STEPS = 40


def drawn(seed: int) -> list[list[str]]:
    """The histories of this seed, noted and not played."""

    class Noted(FleetHistories):
        tally: ClassVar[Counter[str]] = Counter()
        histories: ClassVar[list[list[str]]] = []

        def telling(self, act: Callable[[], None]) -> None:
            """Done by nobody."""

        def teardown(self) -> None:
            self.histories.append(self.told)

    play(Noted, seed, STEPS, shorten=False)
    return Noted.histories


def test_a_seed_draws_the_same_steps_again() -> None:
    first = drawn(7)
    assert len(first[-1]) >= STEPS
    assert drawn(7) == first


def test_another_seed_draws_others() -> None:
    assert drawn(7) != drawn(8)
