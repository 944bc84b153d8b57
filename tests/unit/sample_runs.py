"""Runs of load tests with every kind of figure in them, made of a seed."""

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from loadtests.runs.folder import Recorded
from loadtests.runs.moments import Event, Kind, Series, Value
from loadtests.runs.record import (
    Fairness,
    Gate,
    Ledger,
    Machine,
    Model,
    Offered,
    Run,
)
from loadtests.runs.tally import Answer, Tally

STARTED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MACHINE = Machine(cpus=2, memory=8 << 30, kernel="6.1.0", python="3.11.7", postgres="18.1")


def sample(
    seconds: int = 30, seed: int = 1, slower: float = 1.0, rate: int = 20, mark: str = ""
) -> Recorded:
    """A run whose times are `slower` times those of others; `mark` begins all its names."""
    chance = random.Random(seed)
    tally = Tally()
    for second in range(seconds):
        due = int(rate * _offered(second, seconds))
        for number in range(due):
            at = second + number / due
            tally.offer(at)
            fails = number == 3 and second % 4 == 0
            answer = _answer(at, chance, slower, mark)
            tally.count(replace(answer, error=f"{mark}503 overloaded") if fails else answer)
    return Recorded(
        run=_run(tally, seconds, seed, rate, mark),
        values=(*tally.take_seconds(math.inf), *_beside(seconds, chance, mark)),
        events=tuple(_events(seconds, mark)),
    )


def bare() -> Recorded:
    """A run that measured nothing and beside which nothing was sampled."""
    run = Run(
        scenario="smoke",
        model=Model.CLOSED,
        seed=1,
        started_at=STARTED,
        seconds=1,
        commit="unknown",
        machine=MACHINE,
        operations=(),
    )
    return Recorded(run)


def _offered(second: int, seconds: int) -> float:
    """The rate grows in four steps."""
    return 1 + 4 * second // seconds / 2


def _answer(at: float, chance: random.Random, slower: float, mark: str) -> Answer:
    name, base = chance.choice((("get document", 7.6), ("list documents", 8.4), ("create", 9.2)))
    taken = int(slower * chance.lognormvariate(base, 0.6))
    return Answer(f"{mark}{name}", at, taken)


def _run(tally: Tally, seconds: int, seed: int, rate: int, mark: str) -> Run:
    return Run(
        scenario=f"{mark}step-to-knee",
        model=Model.OPEN,
        seed=seed,
        started_at=STARTED + timedelta(hours=seed),
        seconds=seconds,
        commit=f"{mark}0123456789ab",
        machine=MACHINE,
        configuration={f"{mark}DOCSHARD_POOL_SIZE": f"{mark}8"},
        offered=tuple(
            Offered(second=seconds * step / 4, rate=rate * (1 + step / 2)) for step in range(4)
        ),
        operations=tally.operations(),
        gates=(
            Gate(name=f"{mark}p99 of all, ms", bound="at most", goal=500, measured=41.25),
            Gate(name=f"{mark}right answers, %", bound="at least", goal=99.9, measured=99.6),
        ),
        ledger=Ledger(acknowledged=1200, checked=1200, missing=0, doubled=0),
        fairness=Fairness(others_p99=31, without_p99=25),
    )


def _beside(seconds: int, chance: random.Random, mark: str) -> Iterator[Value]:
    shards = [f"{mark}shard-{number}" for number in range(1, 4)] + [f"{mark}global"]
    parts = [f"{shard}-{role}" for shard in shards for role in ("primary", "replica", "pooler")]
    for second in range(seconds):
        for place, shard in enumerate(shards, 1):
            yield Value(second, Series.SHARD_WORK, shard, 40 / place + chance.random() * 5)
            yield Value(second, Series.SHARD_SECONDS, shard, 0.3 / place + chance.random() / 9)
            yield Value(second, Series.LAG, shard, chance.random() ** 4 / place)
            yield Value(second, Series.POOL_WAIT, shard, chance.random() ** 8 / 50)
            yield Value(second, Series.POOL_USED, shard, chance.randrange(6))
        for place, part in enumerate([*parts, f"{mark}router-1", f"{mark}load"], 1):
            yield Value(second, Series.CPU, part, chance.random() * 60 / place)
            yield Value(second, Series.MEMORY, part, (200 + second) * 1e6 / place)
        yield Value(second, Series.FENCE_WAITS, "", float(second == seconds // 2) * 3)
        yield Value(second, Series.REFUSALS, f"{mark}fenced", float(second == seconds // 2) * 2)


def _events(seconds: int, mark: str) -> Iterator[Event]:
    told = {
        Kind.STAGE: (0.25, "the second step"),
        Kind.COPY: (0.4, "shard-1 → shard-2: copying began"),
        Kind.FENCE: (0.51, "shard-1 → shard-2: writers wait"),
        Kind.SWITCH: (0.52, "shard-1 → shard-2: switched after a pause of 84 ms"),
        Kind.FAULT: (0.7, "shard-3-primary killed"),
        Kind.FAILOVER: (0.78, "shard-3 has a primary again"),
    }
    for kind, (part, text) in told.items():
        yield Event(second=part * seconds, kind=kind, text=f"{mark}{text}")
