"""Movers packed into batches, in an order that lets many run side by side."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import add, itemgetter

from services.fleet.planner.plan import Batch
from services.fleet.planner.population import Population
from services.fleet.planner.prediction import MIB, Pace, Weight, predict

MAX_TENANTS = 50
"""Of a batch: its slot decodes the whole shard's WAL once for all of them, so more is cheaper; but
they are fenced one after the other behind one stream, and an abort undoes all of them."""
MAX_BYTES = 1024 * MIB
"""Of a batch, with indexes: about half a minute of copying. So long the slot keeps WAL back on the
source, and so much is done again when a server fails meanwhile. A larger tenant goes alone."""
MAX_WRITES = 200.0
"""Writes per second of a batch: an order below what a subscription applies; so it catches up."""
HOT_WRITES = 50.0
"""A tenant with as many writes per second goes alone: no other waits for it to catch up."""


@dataclass(slots=True)
class _Packed:
    """Tenants of one batch, by position."""

    members: list[int] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    writes: float = 0.0

    def add(self, population: Population, at: int) -> None:
        self.members.append(at)
        self.rows += population.rows[at]
        self.bytes += population.bytes[at]
        self.writes += population.writes[at]

    def takes(self, population: Population, at: int) -> bool:
        return (
            len(self.members) < MAX_TENANTS
            and self.bytes + population.bytes[at] <= MAX_BYTES
            and self.writes + population.writes[at] <= MAX_WRITES
        )


def batches(population: Population, wanted: Sequence[int], pace: Pace) -> tuple[Batch, ...]:
    """Everybody whose wanted shard is another one, in batches.

    They come in rounds: the first batches of all pairs of shards, the second ones, and so on; in
    each round by how far the target lies behind the source in the list of shards. Neighbours in
    this order have different sources and different targets, so that whatever the limits per shard
    are, few batches wait for one before them.
    """
    count = len(population.shards)
    placed: list[tuple[int, Batch]] = []
    for pair, movers in _pairs(population, wanted):
        source, target = divmod(pair, count)
        for number, packed in enumerate(_pack(population, movers)):
            # The round, then the distance, then the source, as one number that sorts like them.
            order = (number * count + (target - source) % count) * count + source
            placed.append((order, _batch(population, packed, source, target, pace)))
    placed.sort(key=itemgetter(0))
    return tuple(batch for _, batch in placed)


def _pairs(population: Population, wanted: Sequence[int]) -> Iterator[tuple[int, Iterator[int]]]:
    """Who moves, by source and target (as source * shards + target), the smallest first."""
    count = len(population.shards)
    pair = array("Q", map(add, (source * count for source in population.shard), wanted))
    movers = [
        at
        for at, (source, target) in enumerate(zip(population.shard, wanted, strict=True))
        if source != target
    ]
    # Two sorts that keep what is equal in its order, instead of one by tuples made for each.
    movers.sort(key=population.bytes.__getitem__)
    movers.sort(key=pair.__getitem__)
    return groupby(movers, key=pair.__getitem__)


def _pack(population: Population, movers: Iterable[int]) -> Iterator[_Packed]:
    """In this order, the smallest first: they soon show how moves go, and later predictions learn
    from them."""
    filling = _Packed()
    for at in movers:
        if population.bytes[at] > MAX_BYTES or population.writes[at] >= HOT_WRITES:
            alone = _Packed()
            alone.add(population, at)
            yield alone
            continue
        if not filling.takes(population, at):
            yield filling
            filling = _Packed()
        filling.add(population, at)
    if filling.members:
        yield filling


def _batch(population: Population, packed: _Packed, source: int, target: int, pace: Pace) -> Batch:
    known = population.unmeasured < len(population)
    return Batch(
        source=population.shards[source].name,
        target=population.shards[target].name,
        clients=tuple(population.id(at) for at in packed.members),
        rows=packed.rows,
        bytes=packed.bytes,
        predicted=predict(Weight(packed.rows, packed.bytes, packed.writes, known), pace),
    )
