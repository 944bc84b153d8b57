"""What figures and logs cost of a routed read: processor time of one router that looks by turns.

Two processes of one program differ by several parts in a hundred for as long as they live, by where
things lie in memory. So both kinds of turns are those of one process, each a few milliseconds, in
the order ABBA or BAAB: what slows the machine down slows neighbours down, and who comes second has
no advantage. Blocks in which nothing is switched show what the measure makes of nothing.

A routed read is more than its router: what poolers and databases take for one is measured, too, and
what both together take is what looking is held against.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from deploy.fleet.environment import parse_environment
from deploy.local import ports
from deploy.local.home import Home
from loadtests.bench.processor import Family
from router.figures_page import WRITE_SECONDS
from tests.acceptance.api import Tenant
from tests.acceptance.fleet import LocalFleet, until
from tests.acceptance.switched_router import READS, TURNS, first_kind

DEAREST = 0.03
"""Of a read, at most so much may be for looking at it."""
PROCESSES, BLOCKS, PAGES, CALLERS, METERED = 4, 200, 2, 8, 4000
IDLE_SECONDS: Final = 2.0
BEHIND: Final = ("primary", "replica", "pgbouncer")
"""Roles of what serves a read behind its router."""
WARM: Final = 4
"""So many blocks of a process are not looked at."""


class Line:
    """One caller's connection; of the standard library, which leaves processors to the router."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._http = HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = headers

    def get(self, path: str) -> bytes:
        """What it answers."""
        self._http.request("GET", path, headers=self._headers)
        answer = self._http.getresponse()
        body = answer.read()
        assert answer.status == HTTPStatus.OK
        return body

    def ready(self) -> bool:
        """Whether anybody is there."""
        try:
            return bool(self.get("/readyz"))
        except (OSError, AssertionError):
            self._http.close()
            return False


class Behind:
    """The poolers and databases of a fleet."""

    def __init__(self, fleet: LocalFleet) -> None:
        parts = [one for one in fleet.status().values() if one.role in BEHIND]
        self._families = [Family(one.pid) for one in parts if one.pid is not None]
        assert {one.role for one in parts} == set(BEHIND)

    def nanoseconds(self) -> int:
        """Processor time that they have taken so far."""
        return sum(one.nanoseconds() for one in self._families)

    def idle_share(self) -> float:
        """Of a processor, while nobody reads."""
        before, begun = self.nanoseconds(), time.monotonic_ns()
        time.sleep(IDLE_SECONDS)  # nothing is awaited: what goes on while time passes is measured
        return (self.nanoseconds() - before) / (time.monotonic_ns() - begun)


@dataclass(frozen=True)
class Price:
    """Microseconds of processor time of a read."""

    looking: float
    """Where it stands."""
    router: float
    """For all else."""
    behind: float
    """Of poolers and databases."""

    @property
    def of_router(self) -> float:
        """What looking costs of what the router does."""
        return self.looking / self.router

    @property
    def of_read(self) -> float:
        """What looking costs of the whole read."""
        return self.looking / (self.router + self.behind)


class Router:
    """One worker that looks by turns, and callers that read one document again and again."""

    def __init__(self, lines: Sequence[Line], path: str, behind: Behind) -> None:
        self._lines = lines
        self._path = path
        self._behind = behind

    def costs(self, path: str, blocks: int) -> list[list[float]]:
        """Microseconds of processor time of one request, turn by turn of each block."""
        self._begin()
        self._ask(path, (blocks * TURNS + 1) * READS)
        clocks = self._begin()
        turns = [(end - begin) / READS / 1000 for begin, end in pairwise(clocks)]
        return [turns[at : at + TURNS] for at in range(0, blocks * TURNS, TURNS)]

    def read_costs(self) -> list[list[float]]:
        """Of reads of the document."""
        return self.costs(self._path, WARM + BLOCKS)

    def price(self) -> Price:
        """What a read costs; turns are over."""
        idle = self._behind.idle_share()
        self._lines[0].get("/meter")
        before, begun = self._behind.nanoseconds(), time.monotonic_ns()
        self._ask(self._path, METERED)
        behind = self._behind.nanoseconds() - before - idle * (time.monotonic_ns() - begun)
        looking, router = json.loads(self._lines[0].get("/meter"))
        return Price(*(spent / METERED / 1000 for spent in (looking, router, behind)))

    def _ask(self, path: str, requests: int) -> None:
        share = math.ceil(requests / len(self._lines))
        with ThreadPoolExecutor(len(self._lines)) as callers:
            for called in [callers.submit(ask, line, path, share) for line in self._lines]:
                called.result()

    def _begin(self) -> list[int]:
        clocks: list[int] = json.loads(self._lines[0].get("/turns"))
        return clocks


def ask(line: Line, path: str, times: int) -> None:
    for _ in range(times):
        line.get(path)


@dataclass
class Found:
    """What blocks of turns showed: microseconds of a request, by block."""

    first: list[float] = field(default_factory=list)
    """Of the turns that looked, where one looked at all."""
    second: list[float] = field(default_factory=list)
    """Of the others."""

    def add(self, block: int, costs: Sequence[float]) -> None:
        """Add a block."""
        for kind, into in ((True, self.first), (False, self.second)):
            chosen = [one for at, one in enumerate(costs) if first_kind(block, at) is kind]
            into.append(statistics.mean(chosen))

    def __iadd__(self, other: "Found") -> "Found":
        self.first += other.first
        self.second += other.second
        return self

    def price(self) -> tuple[float, float, float]:
        """The median of the blocks' ratios, less one, between the ends of its 95 % interval."""
        pairs = zip(self.first, self.second, strict=True)
        ratios = sorted(one / other - 1 for one, other in pairs)
        # By order alone, whatever the noise looks like: the binomial's, as a normal law.
        half = math.ceil(0.98 * math.sqrt(len(ratios)))
        middle = len(ratios) // 2
        return ratios[middle - half], statistics.median(ratios), ratios[middle + half]

    def told(self) -> str:
        """In words."""
        low, price, high = self.price()
        of_all = sum(self.first) / sum(self.second) - 1
        return f"{price:+.2%} ({low:+.2%} to {high:+.2%}), of all turns together {of_all:+.2%}"


@contextmanager
def serving(fleet: LocalFleet, tenant: Tenant, log: Path) -> Iterator[Router]:
    port = ports.free()
    variables = parse_environment(Home(fleet.home).service_env.read_text()) | {
        "DOCSHARD_LISTEN_PORT": str(port),
        "DOCSHARD_ROUTER_WORKERS": "1",
        "DOCSHARD_LOG_REQUESTS": "all",
        "DOCSHARD_LOG_FORMAT": "json",
        "DOCSHARD_REQUESTS_PER_SECOND_PER_PRINCIPAL": "1000000",
        "DOCSHARD_REQUESTS_PER_SECOND_PER_CLIENT": "1000000",
    }
    alike = {"PYTHONPATH": str(Path(__file__).parents[2])}
    clean = {name: text for name, text in os.environ.items() if not name.startswith("DOCSHARD_")}
    with log.open("wb") as output, ExitStack() as stack:
        router = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.acceptance.switched_router"],
            env=clean | variables | alike,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        stack.callback(router.wait, 20)
        stack.callback(router.terminate)
        bearer = {"Authorization": tenant.http.headers["Authorization"]}
        lines = [Line(port, bearer) for _ in range(CALLERS)]
        until(lines[0].ready, seconds=90)
        yield Router(lines, tenant.path(tenant.make_document()), Behind(fleet))


@pytest.mark.torture
def test_figures_and_logs_cost_little_of_a_read(
    fleet: LocalFleet, tenant: Tenant, tmp_path: Path
) -> None:
    looking, nothing = Found(), Found()
    prices, pages = [], []
    for number in range(PROCESSES):
        log = tmp_path / f"{number}.log"
        with serving(fleet, tenant, log) as router:
            here, nothing_here = compared(router.read_costs())
            pages += [cost for turns in router.costs("/metrics", PAGES) for cost in turns]
            price = router.price()
            prices.append(price)
        lines = log.read_text().count('"route":"get_document"')
        assert lines >= BLOCKS // 2 * TURNS // 2 * READS
        tell(
            f"process {number + 1}: {price.looking:.1f} µs of looking beside {price.router:.0f} µs"
            f" of the router and {price.behind:.0f} µs behind it\n"
            f"process {number + 1}: {here.told()}; nothing: {nothing_here.told()}"
        )
        looking += here
        nothing += nothing_here
    page = statistics.median(pages)
    # Workers of one router write it as often for one another; who collects comes more rarely.
    of_pages = page / 1e6 / WRITE_SECONDS
    in_place = statistics.median(one.of_read for one in prices) + of_pages
    of_router = statistics.median(one.of_router for one in prices) + of_pages
    share = statistics.median(one.router / (one.router + one.behind) for one in prices)
    by_turns = looking.price()[1] * share + of_pages
    tell(
        f"a read takes {statistics.median(looking.second):.0f} µs of processor time without, which"
        f" is {share:.0%} of a routed read\n"
        f"by turns, of the router: {looking.told()}; nothing switched: {nothing.told()}\n"
        f"the page of figures takes {page:.0f} µs: {of_pages:.3%} of a process, each"
        f" {WRITE_SECONDS:.0f} s\n"
        f"figures and a line for each read, and the page, where they stand: {of_router:.2%} of the"
        f" router, {in_place:.2%} of a routed read; by turns: {by_turns:.2%} of a routed read"
    )
    assert in_place <= DEAREST
    # What looking costs others, whose caches it takes, only turns can show.
    assert by_turns <= DEAREST


def tell(words: str) -> None:
    sys.stdout.write(f"{words}\n")


def compared(blocks: Sequence[Sequence[float]]) -> tuple[Found, Found]:
    """What one process shows: of looking, and of blocks without any."""
    looking, nothing = Found(), Found()
    for number, costs in enumerate(blocks):
        if number >= WARM:
            (nothing if number % 2 else looking).add(number, costs)
    return looking, nothing
