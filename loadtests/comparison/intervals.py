"""Confidence intervals for the change between two sets of repeated runs. Pure.

A run's figure (its throughput, its 99th percentile) is one observation; requests within a run are
not independent, so they are no sample. Few observations of unknown and unequal spread are what
Welch's t interval is for (B. L. Welch, "The generalization of 'Student's' problem when several
different population variances are involved", Biometrika 34, 1947, with the degrees of freedom of
Welch and Satterthwaite); a bootstrap of three or five runs would draw from those few values alone
and come out too narrow. That runs, not requests, are to be repeated and told with an interval:
A. Georges, D. Buytaert, L. Eeckhout, "Statistically rigorous Java performance evaluation", OOPSLA
2007.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Final

CONFIDENCE: Final = 0.95

# Two-sided 95 % points of Student's t (Abramowitz and Stegun, table 26.10). Between two of them the
# one of fewer degrees of freedom holds, which makes an interval a little wider.
_STUDENT: Final = {
    **{1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262},
    **{10: 2.228, 12: 2.179, 15: 2.131, 20: 2.086, 30: 2.042, 40: 2.021, 60: 2.000, 120: 1.980},
}
_DEGREES: Final = sorted(_STUDENT)


@dataclass(frozen=True, slots=True)
class Change:
    """From A to B: the estimate, and the interval that holds the truth with 95 % confidence.

    Both ends are None when a side has but one run: then nobody can say how far the estimate is off.
    """

    estimate: float
    low: float | None = None
    high: float | None = None


def difference(a: Sequence[float], b: Sequence[float]) -> Change:
    """How much greater B's mean is than A's. Neither may be empty."""
    estimate = fmean(b) - fmean(a)
    if len(a) < 2 or len(b) < 2:
        return Change(estimate)
    reach = _reach(a, b)
    return Change(estimate, estimate - reach, estimate + reach)


def ratio(a: Sequence[float], b: Sequence[float]) -> Change | None:
    """How many times A's (geometric) mean B's is; None when a value is not above 0.

    Durations and rates differ by factors, not by amounts, so it is their logarithms that are
    compared.
    """
    if min(*a, *b) <= 0:
        return None
    found = difference([math.log(one) for one in a], [math.log(one) for one in b])
    if found.low is None or found.high is None:
        return Change(math.exp(found.estimate))
    return Change(math.exp(found.estimate), math.exp(found.low), math.exp(found.high))


def _reach(a: Sequence[float], b: Sequence[float]) -> float:
    """Half the width of Welch's interval."""
    parts = [variance(side) / len(side) for side in (a, b)]
    whole = sum(parts)
    if whole == 0:
        return 0.0
    sizes = (len(a), len(b))
    degrees = whole**2 / sum(p**2 / (n - 1) for p, n in zip(parts, sizes, strict=True))
    return student(degrees) * math.sqrt(whole)


def student(degrees: float) -> float:
    """The two-sided 95 % point of Student's t for at least one degree of freedom."""
    # Rounding may leave the least possible number a hair below 1.
    place = bisect_right(_DEGREES, degrees + 1e-9)
    return _STUDENT[_DEGREES[max(place, 1) - 1]]
