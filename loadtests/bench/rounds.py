"""Rounds: several forms of the same work, measured by turns, as median, spread and ratio. Pure.

Forms take turns within one run, because a machine is never equally fast twice: what slows one
round down slows its neighbour too, and the ratio of the two stays.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

from loadtests.results import aligned

Measure = Callable[[str], Awaitable[float]]
"""One round of the form of this name: how much it did in a second."""

_SURE = 0.95


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


@dataclass(frozen=True, slots=True)
class Interval:
    """A median, and from where to where it may lie: by 95 in 100, or as sure as so few rounds make
    it."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Interval":
        """Of these rounds.

        The bounds are rounds themselves (order statistics): half of all rounds lie below the true
        median, whatever their distribution, so how many of ours do is a matter of tossing coins.
        """
        ordered, number = sorted(values), len(values)
        outside = 0
        while outside + 1 < number / 2 and _inside(number, outside + 1) >= _SURE:
            outside += 1
        return cls(median(ordered), ordered[outside], ordered[number - 1 - outside])


def _inside(number: int, outside: int) -> float:
    """How sure the median lies between the bounds when so many rounds are cut off at each end."""
    tail = sum(comb(number, k) for k in range(outside + 1))
    return 1.0 - 2.0 * tail / 2.0**number


async def by_turns(names: Sequence[str], measure: Measure, rounds: int) -> list[Form]:
    """Measure every form once in each round, after one round that only warms up."""
    rates: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name in names:
            rate = await measure(name)
            if number:
                rates[name].append(rate)
    return [Form(name, tuple(rates[name])) for name in names]


def ratio(form: Form, other: Form) -> Interval:
    """How much of the other's rate a form has, taken round by round."""
    return Interval.of([a / b for a, b in zip(form.rates, other.rates, strict=True)])


def ratios(forms: list[Form]) -> list[float]:
    """Each form's median ratio to the first form, taken round by round."""
    return [ratio(form, forms[0]).value for form in forms]


def table(forms: list[Form]) -> str:
    """Rates, spread, and the ratio to the first form."""
    rows = [
        (form.name, f"{form.median:,.0f}", f"{form.spread:.0%}", f"{ratio:.2f}")
        for form, ratio in zip(forms, ratios(forms), strict=True)
    ]
    return aligned([("form", "per s", "spread", "ratio"), *rows])
