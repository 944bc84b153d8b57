"""When calls arrive in the open model: a Poisson process whose rate goes by phases. Pure.

Arrivals of many callers who know nothing of each other are such a process: gaps between them are
exponential. A gap that would reach over the end of a phase is drawn anew from there at the next
phase's rate, which is right because the process has no memory.
"""

from collections.abc import Iterable, Iterator
from random import Random

from loadtests.scenario import Span


def arrivals(spans: Iterable[Span], chance: Random, part: float = 1.0) -> Iterator[float]:
    """Seconds after the start, rising; equal seeds, equal arrivals.

    With `part` of the rate several generators, each with chance of its own, make the whole.
    """
    for span in spans:
        rate = span.load * part
        due = span.begin
        while rate and (due := due + chance.expovariate(rate)) < span.end:
            yield due
