"""Fuzzy search in a large tenant while it is used steadily: latencies from when requests were due.

Searches arrive by a schedule, and reads of documents between them; one process serves them. Words
are mistyped, rare, common, several, as people type them.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from urllib.parse import urlencode

from loadtests.bench.caller import Due, open_loop, request
from loadtests.bench.paths import Tenant

ROWS = 212_000
"""One in 20 is deleted: that leaves 200,000."""
GOAL_MS = 30.0
PER_SECOND, READS_PER_SECOND = 10, 50
WORDS = (
    *("raport", "certifcate", "quartely invoice", "harbuor", "tovelqui", "certificate"),
    *("contract draft", "agreemnt", "minuts", "invoice 417"),
)
_SEARCH, _READ = "search", "read"


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds that searches took."""

    searches: int
    middle: float
    high: float
    """What 95 in 100 do not exceed."""


async def searching(
    port: int, searched: Tenant, read: Sequence[Tenant], seconds: float
) -> Latencies:
    """Search in one tenant, and read in the others."""
    await open_loop(port, schedule(searched, read, min(seconds, 3.0)))  # warms up
    took = await open_loop(port, schedule(searched, read, seconds))
    found = [1000 * latency for kind, latency in took if kind == _SEARCH]
    marks = quantiles(found, n=100, method="inclusive")
    return Latencies(len(found), marks[49], marks[94])


def schedule(searched: Tenant, read: Sequence[Tenant], seconds: float) -> list[Due]:
    """Arrivals by chance, as those of many people are; the same in every run."""
    chance = random.Random(7)
    searches, reads = [_search(searched, text) for text in WORDS], [_get(one) for one in read]
    arrivals = [
        *_arrivals(chance, _SEARCH, searches, PER_SECOND, seconds),
        *_arrivals(chance, _READ, reads, READS_PER_SECOND, seconds),
    ]
    return sorted(arrivals, key=lambda due: due.at)


def _arrivals(
    chance: random.Random, kind: str, requests: Sequence[bytes], per_second: float, seconds: float
) -> list[Due]:
    found, at = [], chance.expovariate(per_second)
    while at < seconds:
        found.append(Due(at, kind, chance.choice(requests)))
        at += chance.expovariate(per_second)
    return found


def _search(tenant: Tenant, words: str) -> bytes:
    return request("GET", f"{tenant.path}?{urlencode({'q': words, 'limit': 20})}", tenant.key)


def _get(tenant: Tenant) -> bytes:
    return request("GET", f"{tenant.path}/{tenant.documents[0]}", tenant.key)
