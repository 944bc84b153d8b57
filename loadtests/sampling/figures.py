"""Figures of routers, as `/metrics` tells them, into values of seconds. Pure but for `fetch`."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx

from loadtests.runs.moments import Event, Kind, Series, Value

_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_UNESCAPED = {r"\\": "\\", r"\n": "\n", r"\"": '"'}


@dataclass(frozen=True, slots=True)
class Told:
    """How one of the routers' figures becomes a series."""

    series: Series
    label: str
    grows: bool = True
    """A counter: what is told is how fast it grew."""


_TOLD: Mapping[str, Told] = {
    "docshard_db_seconds_count": Told(Series.SHARD_WORK, "shard"),
    "docshard_db_seconds_sum": Told(Series.SHARD_SECONDS, "shard"),
    "docshard_pool_wait_seconds_total": Told(Series.POOL_WAIT, "shard"),
    "docshard_pool_waiting": Told(Series.POOL_WAITING, "shard", grows=False),
    "docshard_pool_used": Told(Series.POOL_USED, "shard", grows=False),
    "docshard_replica_lag_seconds": Told(Series.LAG, "shard", grows=False),
    "docshard_residency_refusals_total": Told(Series.REFUSALS, "reason"),
    "docshard_fence_wait_seconds_count": Told(Series.FENCE_WAITS, ""),
    "docshard_fence_wait_seconds_sum": Told(Series.FENCE_WAIT_SECONDS, ""),
}
_PRIMARY = "docshard_primary_known"
# Most of a page are buckets of histograms; only lines of these names are taken apart.
_SAMPLE = re.compile(rf"^({'|'.join((*_TOLD, _PRIMARY))})(?:{{(.*)}})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Look:
    """What was told at a moment (a clock's seconds): by series and label, and who has a primary."""

    at: float
    routers: int
    values: Mapping[tuple[Told, str], float]
    primaries: Mapping[str, bool]


def fetch(http: httpx.Client, addresses: Iterable[str]) -> list[str]:
    """The pages of all routers that answer; one that does not is left out."""
    pages = []
    for address in addresses:
        try:
            answer = http.get(f"{address.rstrip('/')}/metrics")
        except httpx.HTTPError:
            continue
        if answer.status_code == 200:
            pages.append(answer.text)
    return pages


def look(pages: Sequence[str], at: float) -> Look:
    """Several routers' figures added up, of lags the worst."""
    values: dict[tuple[Told, str], float] = {}
    primaries: dict[str, bool] = {}
    for name, labels, value in (sample for page in pages for sample in samples(page)):
        if name == _PRIMARY:
            shard = labels.get("shard", "")
            primaries[shard] = primaries.get(shard, True) and value > 0
        elif (told := _TOLD.get(name)) is not None:
            key = told, labels.get(told.label, "")
            known = values.get(key, 0.0)
            values[key] = max(known, value) if told.series is Series.LAG else known + value
    return Look(at, len(pages), values, primaries)


def grown(second: int, before: Look, now: Look) -> Iterator[Value]:
    """Values of the second between two looks; counters as they grew, per second."""
    for (told, label), value in now.values.items():
        if not told.grows:
            yield Value(second, told.series, label, value)
        elif before.routers == now.routers:  # else a sum would grow by all that one ever counted
            known = before.values.get((told, label), 0.0)
            # One that began anew counts from 0: Prometheus takes it the same way.
            more = value - known if value >= known else value
            yield Value(second, told.series, label, more / (now.at - before.at))


def primaries(second: float, known: Mapping[str, bool], now: Mapping[str, bool]) -> Iterator[Event]:
    """Shards that lost their primary since it was last told, or have one again."""
    for shard, there in now.items():
        if known.get(shard, there) != there:
            words = "has a primary again" if there else "has no primary that routers know"
            yield Event(second=second, kind=Kind.FAILOVER, text=f"{shard} {words}")


def samples(page: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """The samples of Prometheus' text format that are of use here: name, labels, value."""
    for name, inner, value in _SAMPLE.findall(page):
        labels = {key: _unescaped(text) for key, text in _LABEL.findall(inner)}
        yield name, labels, float(value)


def _unescaped(text: str) -> str:
    return re.sub(r"\\[\\n\"]", lambda found: _UNESCAPED[found[0]], text)
