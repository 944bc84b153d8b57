"""What moves cost: `python -m loadtests.bench.moves`.

On a throwaway fleet with two shards, by the product's own command and worker:

- **pause**: tenants are moved, a few at a time and each by itself, while a caller of each writes
  over HTTP, nearly without a break. Printed are the longest gaps between acknowledged writes, in
  the switch and before it;
- **copy**: a tenant with 200,000 documents is moved, and the same rows are copied by binary COPY |
  COPY into a table with the same indexes; then as many rows of all tables, as tenants have them;
- **batches**: 500 tenants are moved in batches, beside what the single moves took.

Exit status 1 when a goal is missed.
"""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import uuid4

import click
import httpx

from loadtests.bench.copying import Rates, copied, fill_documents, fill_history
from loadtests.bench.fleet import Fleet, NoFleet, throwaway_fleet
from loadtests.bench.mover import Moved, Mover
from loadtests.bench.tenants import administrator, new_tenants
from loadtests.results import aligned

PAUSE_P50_MS, PAUSE_P99_MS = 25, 100
COPY_GOAL, TOTAL_SECONDS = 0.7, 4.0
BATCH_GOAL = 5.0
_AT_A_TIME = 2
_ROWS_OF_ONE = 11  # a document, its versions, their audit rows and links
_STEADY_SECONDS = 1.0
_BREATH_SECONDS = 0.005  # two callers without any break would take all of two cores
_BEHIND_SECONDS = 0.5


@dataclass
class Caller:
    """One tenant whose documents are made nearly without a break; times are of the
    machine's clock, which the fleet's servers have, too."""

    client_id: str
    key: str = field(repr=False)
    acknowledged: list[float] = field(default_factory=list)
    again: int = 0

    async def write(self, api: str, stop: asyncio.Event) -> None:
        """Make documents until told to stop; what was refused is sent again, as the same write."""
        headers = {"Authorization": f"Bearer {self.key}"}
        path = f"/v1/clients/{self.client_id}/documents"
        body = {"original_name": "a.txt", "mime_type": "text/plain"}
        async with httpx.AsyncClient(
            base_url=api, headers=headers, timeout=30, trust_env=False
        ) as http:
            once = str(uuid4())
            while not stop.is_set():
                answer = await http.post(path, json=body, headers={"Idempotency-Key": once})
                if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                    self.again += 1
                    continue
                answer.raise_for_status()
                self.acknowledged.append(time.time())
                once = str(uuid4())
                await asyncio.sleep(_BREATH_SECONDS)

    def longest_ms(self, since: float, until: float) -> float:
        """The longest gap between two acknowledged writes that ended within these moments."""
        there = [at for at in self.acknowledged if since <= at <= until]
        return 1000 * max((after - before for before, after in pairwise(there)), default=0.0)


@dataclass(frozen=True)
class Pauses:
    """Longest gaps, one for each tenant, in milliseconds; and what was sent again."""

    steady: list[float]
    moving: list[float]
    again: int


@click.command(help="Measure the pause of moves, their copy rate, and batches.")
@click.option("--tenants", type=click.IntRange(_AT_A_TIME), default=52, show_default=True)
@click.option("--rows", type=click.IntRange(1_000), default=200_000, show_default=True)
@click.option("--small", type=click.IntRange(2), default=500, show_default=True)
def main(tenants: int, rows: int, small: int) -> None:
    """Start a fleet, measure, print."""
    try:
        with throwaway_fleet(shards=2, replicas=1) as fleet:
            missed = asyncio.run(measure(fleet, tenants, rows, small))
    except NoFleet as error:
        raise click.ClickException(str(error)) from error
    if missed:
        raise click.ClickException("; ".join(missed))


async def measure(fleet: Fleet, tenants: int, rows: int, small: int) -> list[str]:
    """Print the figures; answers which goals were missed."""
    mover = Mover(fleet)
    callers, others = await asyncio.to_thread(_admit, fleet, tenants, small)
    pauses, single = await measure_pauses(fleet, mover, callers)
    click.echo(_pause_table(pauses, single))
    missed = list(_missed_pauses(pauses))
    rates = await measure_copy(fleet, mover, callers[0].client_id, rows)
    click.echo(
        f"\n{rows:,} documents: COPY | COPY {rates.bare:,.0f} rows/s, a move {rates.moved:,.0f} "
        f"({rates.ratio:.2f}); from its beginning to its switch {rates.total:.1f} s"
    )
    if rates.ratio < COPY_GOAL:
        missed.append(f"a move copies at {rates.ratio:.2f} of COPY, the goal is {COPY_GOAL}")
    if rates.total > TOTAL_SECONDS:
        missed.append(f"the move took {rates.total:.1f} s, the goal is {TOTAL_SECONDS:.0f} s")
    mixed = await measure_mixed(fleet, mover, callers[1].client_id, rows // _ROWS_OF_ONE)
    click.echo(
        f"{mixed.rows:,} rows of all tables: {mixed.rows / mixed.copying:,.0f} rows/s; from its "
        f"beginning to its switch {mixed.seconds:.1f} s"
    )
    if mixed.seconds > TOTAL_SECONDS:
        missed.append(f"all tables took {mixed.seconds:.1f} s, the goal is {TOTAL_SECONDS:.0f} s")
    together = await measure_batches(mover, others)
    alone = small * sum(one.seconds for one in single) / len(single) / _AT_A_TIME
    click.echo(
        f"\n{small} tenants in batches {together:.1f} s; one by one, {_AT_A_TIME} at a time as the "
        f"{len(single)} above, {alone:.1f} s ({alone / together:.1f} times as long)"
    )
    if alone < BATCH_GOAL * together:
        missed.append(f"batches are {alone / together:.1f} times as fast, the goal is {BATCH_GOAL}")
    return missed


async def measure_pauses(
    fleet: Fleet, mover: Mover, callers: Sequence[Caller]
) -> tuple[Pauses, list[Moved]]:
    """Move each caller's tenant to the other shard, a few at a time, while they write."""
    pauses, single = Pauses([], [], 0), list[Moved]()
    homes = await asyncio.to_thread(_homes, fleet, [one.client_id for one in callers])
    for start in range(0, len(callers), _AT_A_TIME):
        some = callers[start : start + _AT_A_TIME]
        targets = [other(homes[one.client_id]) for one in some]
        found, moved = await _move_under_load(fleet.target.api, mover, some, targets)
        pauses = Pauses(
            pauses.steady + found.steady, pauses.moving + found.moving, pauses.again + found.again
        )
        single += moved
    return pauses, single


async def _move_under_load(
    api: str, mover: Mover, callers: Sequence[Caller], targets: Sequence[str]
) -> tuple[Pauses, list[Moved]]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for caller in callers:
            group.create_task(caller.write(api, stop))
        began = time.time()
        await asyncio.sleep(_STEADY_SECONDS)
        steady = time.time()
        orders = [
            asyncio.to_thread(mover.order, [one.client_id], target)
            for one, target in zip(callers, targets, strict=True)
        ]
        ids = [move for made in await asyncio.gather(*orders) for move in made]
        moved = await mover.until(ids, "switched", "swept")
        await asyncio.sleep(_BEHIND_SECONDS)
        stop.set()
    found = Pauses(
        [one.longest_ms(began, steady) for one in callers],
        [one.longest_ms(*_around(move)) for one, move in zip(callers, moved, strict=True)],
        sum(one.again for one in callers),
    )
    return found, moved


def _around(move: Moved) -> tuple[float, float]:
    """From a little before the fence to a little behind the switch."""
    fenced = move.switched - move.pause_ms / 1000
    return fenced - _BEHIND_SECONDS, move.switched + _BEHIND_SECONDS


async def measure_copy(fleet: Fleet, mover: Mover, client_id: str, rows: int) -> Rates:
    """Move a large tenant, and copy the same rows by COPY alone, in the same run."""
    home = _homes(fleet, [client_id])[client_id]
    source, target = fleet.shard(home), fleet.shard(other(home))
    await asyncio.to_thread(fill_documents, source, client_id, rows)
    bare = await asyncio.to_thread(copied, source, target, client_id)
    [move] = await asyncio.to_thread(mover.order, [client_id], other(home))
    [moved] = await mover.until([move], "switched", "swept")
    return Rates(bare, moved.rows / moved.copying, moved.seconds)


async def measure_mixed(fleet: Fleet, mover: Mover, client_id: str, documents: int) -> Moved:
    """Move a tenant that has rows in all tables, as tenants have them."""
    home = _homes(fleet, [client_id])[client_id]
    await asyncio.to_thread(fill_documents, fleet.shard(home), client_id, documents)
    await asyncio.to_thread(fill_history, fleet.shard(home), client_id)
    [move] = await asyncio.to_thread(mover.order, [client_id], other(home))
    [moved] = await mover.until([move], "switched", "swept")
    return moved


async def measure_batches(mover: Mover, clients: Sequence[tuple[str, str]]) -> float:
    """Seconds from the beginning of the first batch to the switch of the last."""
    ids = [
        move
        for home in sorted({home for _, home in clients})
        for move in await asyncio.to_thread(
            mover.order, [one for one, there in clients if there == home], other(home)
        )
    ]
    moved = await mover.until(ids, "switched", "swept")
    return max(one.switched for one in moved) - min(one.begun for one in moved)


def other(shard: str) -> str:
    """The shard that is not this one."""
    return "shard-2" if shard == "shard-1" else "shard-1"


def _admit(fleet: Fleet, tenants: int, small: int) -> tuple[list[Caller], list[tuple[str, str]]]:
    """Tenants with a caller, and small ones with where they live; each has a document."""
    callers = [Caller(str(one), key) for one, key in new_tenants(fleet.target, tenants).items()]
    others = []
    with administrator(fleet.target) as api:
        for number in range(small):
            one = api.create_client(f"small-{number}", "a tenant").id
            api.create_document(one, "a.txt", "text/plain")
            others.append(str(one))
    homes = _homes(fleet, others)
    return callers, [(one, homes[one]) for one in others]


def _homes(fleet: Fleet, clients: Sequence[str]) -> dict[str, str]:
    listed = json.loads(fleet.run("client", "list", "--limit", "10000", "-o", "json"))["clients"]
    homes = {str(one["id"]): str(one["shard"]) for one in listed}
    return {one: homes[one] for one in clients}


def _pause_table(pauses: Pauses, single: Sequence[Moved]) -> str:
    fences = [one.pause_ms for one in single]
    rows = [
        ("longest gap, before the move", *_quantiles(pauses.steady)),
        ("longest gap, around the switch", *_quantiles(pauses.moving)),
        ("fence to opening, as the move tells it", *_quantiles(fences)),
    ]
    head = (f"{len(single)} moves, ms", "p50", "p99", "max")
    return aligned([head, *rows]) + f"\nwrites sent again: {pauses.again}"


def _quantiles(values: Sequence[float]) -> Iterator[str]:
    for part in (0.5, 0.99, 1.0):
        yield f"{quantile(values, part):.0f}"


def quantile(values: Sequence[float], part: float) -> float:
    """The nearest one."""
    return sorted(values)[round(part * (len(values) - 1))]


def _missed_pauses(pauses: Pauses) -> Iterator[str]:
    for part, goal in ((0.5, PAUSE_P50_MS), (0.99, PAUSE_P99_MS)):
        found = quantile(pauses.moving, part)
        if found > goal:
            yield f"the pause's p{100 * part:.0f} is {found:.0f} ms, the goal is {goal} ms"


if __name__ == "__main__":
    main()
