"""Plots of what was sampled beside the load: shards, pools, lag, fences, processes. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from loadtests.report.lines import Together, mean
from loadtests.report.section import Section, Told, Topic, over_time, styled
from loadtests.runs.moments import Series


@dataclass(frozen=True, slots=True)
class _Sampled:
    """A series as a plot with a line for each label."""

    topic: Topic
    series: Series
    together: Together = mean
    factor: float = 1


_PLOTS: Final = (
    _Sampled(
        Topic(
            "shards",
            "Work per shard",
            "Pieces of work that routers did with a connection to each shard; global is the "
            "directory.",
            "per second",
        ),
        Series.SHARD_WORK,
    ),
    _Sampled(
        Topic(
            "shard-time",
            "Connections at work per shard",
            "How many were held at a time, in the mean: seconds of work in each second.",
            "connections",
        ),
        Series.SHARD_SECONDS,
    ),
    _Sampled(
        Topic("lag", "Replica lag", "The farthest replica of each shard, as routers see it.", "s"),
        Series.LAG,
        max,
    ),
    _Sampled(
        Topic(
            "pool-waits",
            "Waiting for a connection",
            "How many requests waited for one to the shard at a time, in the mean: seconds waited "
            "in each second.",
            "waiting",
        ),
        Series.POOL_WAIT,
    ),
    _Sampled(
        Topic("pool-used", "Connections lent", "Of each shard's pools.", "connections"),
        Series.POOL_USED,
    ),
    _Sampled(
        Topic(
            "cpu",
            "Processor time per process",
            "100 % is one core. A part counts with its children; load generator is who makes "
            "the requests.",
            "%",
        ),
        Series.CPU,
    ),
    _Sampled(
        Topic(
            "memory",
            "Memory per process",
            "What each of a part's processes has alone, and once what they share.",
            "MiB",
        ),
        Series.MEMORY,
        factor=1 / (1024 * 1024),
    ),
)
_FENCES: Final = Topic(
    "fences",
    "Waiting at a fence",
    "Requests that waited there for a tenant on the move, and those that came where it was not "
    "open, by why.",
    "per second",
)


def sections(told: Told) -> Iterator[Section]:
    """All of them."""
    for one in _PLOTS:
        lines = told.sampled.lines(one.series, one.together, factor=one.factor)
        yield over_time(one.topic, told, lines)
    yield _fences(told)


def _fences(told: Told) -> Section:
    waited = styled(told.sampled.line(Series.FENCE_WAITS, "", mean), "plain", "waited")
    return over_time(_FENCES, told, [waited, *told.sampled.lines(Series.REFUSALS, mean)])
