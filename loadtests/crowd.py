"""Which tenant calls: Zipf's law, a whale, a flash. Pure.

Tenants are numbered, the busiest first.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from random import Random

from loadtests.scenario import Phase


class Group(StrEnum):
    """Whom a call belongs to; fairness compares what the others feel."""

    WHALE = "whale"
    OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Caller:
    """A tenant by its number."""

    tenant: int
    group: Group = Group.OTHERS


def zipf(count: int, skew: float) -> list[float]:
    """Weights 1/1^s, 1/2^s, 1/3^s, …: with s = 1 the second is half as busy as the first."""
    return [1 / rank**skew for rank in range(1, count + 1)]


class Crowd:
    """Chooses callers.

    With a whale its first tenant is the whale alone, so that the others ask the same whether it is
    there or not.
    """

    def __init__(self, count: int, skew: float, *, whale: bool) -> None:
        if count < 1 + whale:
            raise ValueError("a whale needs others beside it")
        self._others = range(int(whale), count)
        self._reach = list(accumulate(zipf(len(self._others), skew)))

    def pick(self, phase: Phase, chance: Random) -> Caller:
        """Who calls next in this phase."""
        of_whale = phase.whale / (phase.times + phase.whale) if phase.whale else 0.0
        if of_whale and chance.random() < of_whale:
            return Caller(0, Group.WHALE)
        if phase.flash and chance.random() < phase.flash:
            return Caller(self._others[-1])
        return Caller(chance.choices(self._others, cum_weights=self._reach)[0])
