"""Rounds: several forms of the same work, measured by turns, as median, spread and ratio. Pure.

Forms take turns within one run, because a machine is never equally fast twice: what slows one
round down slows its neighbour too, and the ratio of the two stays.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import median

from loadtests.results import aligned

Measure = Callable[[str], Awaitable[float]]
"""One round of the form of this name: how much it did in a second."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form's rounds, in work per second."""

    name: str
    rates: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle round."""
        return median(self.rates)

    @property
    def spread(self) -> float:
        """From the slowest to the fastest round, as a part of the median."""
        return (max(self.rates) - min(self.rates)) / self.median


async def by_turns(names: Sequence[str], measure: Measure, rounds: int) -> list[Form]:
    """Measure every form once in each round, after one round that only warms up."""
    rates: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name in names:
            rate = await measure(name)
            if number:
                rates[name].append(rate)
    return [Form(name, tuple(rates[name])) for name in names]


def ratios(forms: list[Form]) -> list[float]:
    """Each form's median ratio to the first form, taken round by round."""
    first = forms[0].rates
    return [median(a / b for a, b in zip(f.rates, first, strict=True)) for f in forms]


def table(forms: list[Form]) -> str:
    """Rates, spread, and the ratio to the first form."""
    rows = [
        (form.name, f"{form.median:,.0f}", f"{form.spread:.0%}", f"{ratio:.2f}")
        for form, ratio in zip(forms, ratios(forms), strict=True)
    ]
    return aligned([("form", "per s", "spread", "ratio"), *rows])
