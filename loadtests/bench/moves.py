"""What moves cost: `python -m loadtests.bench.moves`.

On a throwaway fleet with two shards, by the product's own command and worker:

- **pause**: tenants are moved, two at a time and each by itself, while each is written to over HTTP
  by a schedule. The pause is the longest time that a write took from when it was due to its answer,
  around the switch; beside it the same before the move, the longest times without an answer in
  both, and what the move tells of its switch, step by step;
- **copy**: a tenant with 200,000 documents is moved, and the same rows are copied by binary COPY |
  COPY into a table with the same indexes; then as many rows of all tables, as tenants have them;
- **batches**: small tenants that nobody uses are moved one by one, two at a time; then all 500 in
  batches.

Exit status 1 when a goal is missed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import click

from loadtests.bench.callers import Caller
from loadtests.bench.copying import Rates, copied, fill_documents, fill_history
from loadtests.bench.fleet import Fleet, NoFleet, throwaway_fleet
from loadtests.bench.mover import Moved, Mover, homes, other
from loadtests.bench.pauses import AT_A_TIME, measure_pauses, missed_pauses, pause_table
from loadtests.bench.tenants import administrator, new_tenants

COPY_GOAL, TOTAL_SECONDS = 0.7, 4.0
BATCH_GOAL = 5.0
_ROWS_OF_ONE = 11  # a document, its versions, their audit rows and links
_ONE_BY_ONE = 20
PARTS = ("pause", "copy", "batches")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of each is measured. `rate`: writes a second to each tenant that is moved."""

    tenants: int
    rate: float
    rows: int
    small: int


@click.command(help="Measure the pause of moves, their copy rate, and batches.")
@click.option("--part", "parts", type=click.Choice(PARTS), multiple=True, help="default: all")
@click.option("--tenants", type=click.IntRange(AT_A_TIME), default=52, show_default=True)
@click.option("--rate", type=click.FloatRange(1, 500), default=40.0, show_default=True)
@click.option("--rows", type=click.IntRange(1_000), default=200_000, show_default=True)
@click.option("--small", type=click.IntRange(2), default=500, show_default=True)
def main(parts: tuple[str, ...], tenants: int, rate: float, rows: int, small: int) -> None:
    """Start a fleet, measure, print."""
    sizes = Sizes(tenants, rate, rows, small)
    try:
        with throwaway_fleet(shards=2, replicas=1) as fleet:
            missed = asyncio.run(measure(fleet, parts or PARTS, sizes))
    except NoFleet as error:
        raise click.ClickException(str(error)) from error
    if missed:
        raise click.ClickException("; ".join(missed))


async def measure(fleet: Fleet, parts: Sequence[str], sizes: Sizes) -> list[str]:
    """Print the figures of these parts; answers which goals were missed."""
    mover = Mover(fleet)
    acts = {"pause": _pause, "copy": _copy, "batches": _batches}
    return [line for part in parts for line in await acts[part](fleet, mover, sizes)]


async def _pause(fleet: Fleet, mover: Mover, sizes: Sizes) -> list[str]:
    made = await asyncio.to_thread(new_tenants, fleet.target, sizes.tenants)
    callers = [Caller(str(one), key) for one, key in made.items()]
    pauses = await measure_pauses(fleet, mover, callers, sizes.rate)
    click.echo(f"{sizes.rate:g} writes a second to each of {AT_A_TIME} tenants at a time")
    click.echo(pause_table(pauses))
    click.echo(f"writes sent again: {sum(one.again for one in callers)}\n")
    return list(missed_pauses(pauses))


async def _copy(fleet: Fleet, mover: Mover, sizes: Sizes) -> list[str]:
    missed = []
    plain, mixed = map(str, await asyncio.to_thread(new_tenants, fleet.target, 2, "copied"))
    rates = await measure_copy(fleet, mover, plain, sizes.rows)
    click.echo(
        f"{sizes.rows:,} documents: COPY | COPY {rates.bare:,.0f} rows/s, a move "
        f"{rates.moved:,.0f} ({rates.ratio:.2f}); from its beginning to its switch "
        f"{rates.total:.1f} s"
    )
    if rates.ratio < COPY_GOAL:
        missed.append(f"a move copies at {rates.ratio:.2f} of COPY, the goal is {COPY_GOAL}")
    if rates.total > TOTAL_SECONDS:
        missed.append(f"the move took {rates.total:.1f} s, the goal is {TOTAL_SECONDS:.0f} s")
    moved = await measure_mixed(fleet, mover, mixed, sizes.rows // _ROWS_OF_ONE)
    click.echo(
        f"{moved.rows:,} rows of all tables: {moved.rows / moved.copying:,.0f} rows/s; from its "
        f"beginning to its switch {moved.seconds:.1f} s\n"
    )
    if moved.seconds > TOTAL_SECONDS:
        missed.append(f"all tables took {moved.seconds:.1f} s, the goal is {TOTAL_SECONDS:.0f} s")
    return missed


async def _batches(fleet: Fleet, mover: Mover, sizes: Sizes) -> list[str]:
    clients = await asyncio.to_thread(_small_tenants, fleet, sizes.small)
    some = clients[:_ONE_BY_ONE]
    single = await measure_singly(fleet, mover, some)
    together = await measure_batches(fleet, mover, clients)
    alone = single * len(clients) / len(some)
    click.echo(
        f"{len(clients)} tenants in batches {together:.1f} s; one by one, {AT_A_TIME} at a time as "
        f"{len(some)} of them were, {alone:.1f} s ({alone / together:.1f} times as long)"
    )
    if alone < BATCH_GOAL * together:
        return [f"batches are {alone / together:.1f} times as fast, the goal is {BATCH_GOAL}"]
    return []


async def measure_copy(fleet: Fleet, mover: Mover, client_id: str, rows: int) -> Rates:
    """Move a large tenant, and copy the same rows by COPY alone, in the same run."""
    home = homes(fleet, [client_id])[client_id]
    source, target = fleet.shard(home), fleet.shard(other(home))
    await asyncio.to_thread(fill_documents, source, client_id, rows)
    bare = await asyncio.to_thread(copied, source, target, client_id)
    [move] = await asyncio.to_thread(mover.order, [client_id], other(home))
    [moved] = await mover.until([move], "switched", "swept")
    return Rates(bare, moved.rows / moved.copying, moved.seconds)


async def measure_mixed(fleet: Fleet, mover: Mover, client_id: str, documents: int) -> Moved:
    """Move a tenant that has rows in all tables, as tenants have them."""
    home = homes(fleet, [client_id])[client_id]
    await asyncio.to_thread(fill_documents, fleet.shard(home), client_id, documents)
    await asyncio.to_thread(fill_history, fleet.shard(home), client_id)
    [move] = await asyncio.to_thread(mover.order, [client_id], other(home))
    [moved] = await mover.until([move], "switched", "swept")
    return moved


async def measure_singly(fleet: Fleet, mover: Mover, clients: Sequence[str]) -> float:
    """Seconds that moving each by itself takes, from a move's beginning to its switch."""
    at_home = await asyncio.to_thread(homes, fleet, clients)
    ids: list[str] = []
    for start in range(0, len(clients), AT_A_TIME):
        some = clients[start : start + AT_A_TIME]
        orders = (asyncio.to_thread(mover.order, [one], other(at_home[one])) for one in some)
        ids += [move for made in await asyncio.gather(*orders) for move in made]
        await mover.until(ids, "switched", "swept")
    moved = await mover.until(ids, "swept")  # they may move again
    # What a command and a look take between two moves is no part of them.
    return sum(one.seconds for one in moved) / AT_A_TIME


async def measure_batches(fleet: Fleet, mover: Mover, clients: Sequence[str]) -> float:
    """Seconds from the beginning of the first batch to the switch of the last."""
    at_home = await asyncio.to_thread(homes, fleet, clients)
    batches = {
        home: [one for one in clients if at_home[one] == home] for home in set(at_home.values())
    }
    orders = (asyncio.to_thread(mover.order, some, other(home)) for home, some in batches.items())
    ids = [move for made in await asyncio.gather(*orders) for move in made]
    moved = await mover.until(ids, "switched", "swept")
    return max(one.switched for one in moved) - min(one.begun for one in moved)


def _small_tenants(fleet: Fleet, number: int) -> list[str]:
    """So many tenants with a document each."""
    made = []
    with administrator(fleet.target) as api:
        for one in range(number):
            client = api.create_client(f"small-{one}", "a tenant").id
            api.create_document(client, "a.txt", "text/plain")
            made.append(str(client))
    return made


if __name__ == "__main__":
    main()
