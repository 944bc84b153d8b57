"""Plots of what the load itself saw: throughput and latency. Pure."""

from collections.abc import Iterator
from itertools import pairwise
from math import ceil
from typing import Final

from loadtests.report.charts import Plot, draw
from loadtests.report.lines import Line, Point, mean
from loadtests.report.section import Section, Told, Topic, over_time, styled
from loadtests.runs.moments import Series
from loadtests.runs.record import ALL, Model, Run

_SHARES: Final = (0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999)
_PERCENTILES: Final = {
    Series.P50: "median",
    Series.P90: "p90",
    Series.P95: "p95",
    Series.P99: "p99",
    Series.MAX: "slowest",
}
_BEGINS: Final = {
    Model.OPEN: "counted from when a request was due, so what it waited to be sent is in it.",
    Model.CLOSED: "counted from when a request was sent: a slow fleet is asked less, and looks "
    "better than its users would say.",
}

THROUGHPUT: Final = Topic(
    "throughput",
    "Throughput over time",
    "Requests that were due, that were answered (failed ones included), and that failed, each "
    "second.",
    "per second",
)
KNEE: Final = Topic(
    "knee",
    "Throughput against offered",
    "A point for each rate that was offered. Where the line leaves the dashed one, the fleet has "
    "no more to give.",
    "answers per second",
)
DISTRIBUTION: Final = Topic(
    "distribution",
    "Latency as a whole",
    "How long the given share of all requests took at most; from the histogram, so to a tenth of a "
    "per cent.",
    "ms",
    logarithmic=True,
)
OPERATIONS: Final = Topic(
    "operations-over-time",
    "99th percentile of each operation",
    "The operation with the slowest second first.",
    "ms",
    logarithmic=True,
)


def sections(told: Told, base: Told | None) -> Iterator[Section]:
    """All of them, the baseline's lines beside the run's."""
    yield _throughput(told, base)
    yield _knee(told, base)
    yield _latency(told, base)
    yield _distribution(told.found.run, base.found.run if base else None)
    operations = (one for one in told.sampled.lines(Series.P99, max) if one.name != ALL)
    yield over_time(OPERATIONS, told, operations)


def _throughput(told: Told, base: Told | None) -> Section:
    offered = told.sampled.line(Series.OFFERED, "", mean, empty=0)
    lines = [
        styled(told.sampled.line(Series.REQUESTS, ALL, mean, empty=0), "plain", "answered"),
        styled(told.sampled.line(Series.FAILURES, ALL, mean, empty=0), "plain", "failed"),
        styled(offered, "goal", "offered"),
    ]
    if base:
        before = base.sampled.line(Series.REQUESTS, ALL, mean, empty=0)
        lines.append(styled(before, "baseline", "answered, baseline"))
    return over_time(THROUGHPUT, told, lines)


def _knee(told: Told, base: Told | None) -> Section:
    points = _stages(told)
    lines = [Line("answered", points), Line("as offered", tuple((x, x) for x, _ in points), "goal")]
    if base:
        lines.append(Line("answered, baseline", _stages(base), "baseline"))
    plot = Plot(KNEE.title, KNEE.unit, tuple(lines), "offered per second")
    nothing = "There is a plot when several rates were offered, each for some whole seconds."
    return Section(KNEE, draw(plot) if len(points) > 1 else None, nothing)


def _stages(told: Told) -> tuple[Point, ...]:
    """What was answered per second at each offered rate, in its whole seconds; a rate that comes
    again is one."""
    schedule = told.found.run.offered
    ends = pairwise([*(offered.second for offered in schedule), told.found.run.seconds])
    answered = told.sampled.each(Series.REQUESTS, ALL)
    by_rate: dict[float, list[float]] = {}
    for offered, (start, end) in zip(schedule, ends, strict=True):
        seconds = range(ceil(start), int(end))
        by_rate.setdefault(offered.rate, []).extend(answered.get(second, 0) for second in seconds)
    return tuple((rate, mean(values)) for rate, values in sorted(by_rate.items()) if values)


def _latency(told: Told, base: Told | None) -> Section:
    topic = Topic(
        "latency",
        "Latency over time",
        "Percentiles of the answers of each second, all operations together; "
        + _BEGINS[told.found.run.model],
        "ms",
        logarithmic=True,
    )
    lines = [
        styled(told.sampled.line(series, ALL, max), "plain", name)
        for series, name in _PERCENTILES.items()
    ]
    if base:
        before = base.sampled.line(Series.P99, ALL, max)
        lines.append(styled(before, "baseline", "p99, baseline"))
    return over_time(topic, told, lines)


def _distribution(run: Run, base: Run | None) -> Section:
    lines = [Line("this run", percentiles(run))]
    if base:
        lines.append(Line("baseline", percentiles(base), "baseline"))
    longest = max(len(line.points) for line in lines)
    marks = tuple((_place(share), f"{100 * share:g} %") for share in _SHARES[:longest])
    plot = Plot(DISTRIBUTION.title, "ms", tuple(lines), "share of requests", True, marks)
    chart = draw(plot) if longest > 1 else None
    return Section(DISTRIBUTION, chart, "Too few requests were answered.")


def percentiles(run: Run) -> tuple[Point, ...]:
    """Shares that leave a request out at least: beyond them all are the slowest one."""
    times = run.whole.times
    known = [share for share in _SHARES if (1 - share) * times.total >= 1]
    return tuple((_place(share), times.percentile(share) / 1000) for share in known)


def _place(share: float) -> float:
    """One request in so many takes longer: each nine is as wide as the one before."""
    return 1 / (1 - share)
