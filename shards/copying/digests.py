"""Proof that source and target hold the same rows, while the source is written to.

A range of keys is read on the source, then a marker is put into the stream, and behind it the same
range is read on the target: what the source had then, the target has now, or something newer. So a
difference is either a change that came meanwhile or a row that is wrong. Read again behind another
marker, the first kind goes away; what stays is looked at row by row, and a row that never was equal
in all these rounds is wrong. Each reading is one short statement: no snapshot is held.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from global_db.cluster import Cluster
from global_db.connection import RawConnection
from shards.copying import markers
from shards.copying.batch import Batch, Gate, Mover
from shards.copying.errors import Diverged
from shards.copying.keys import TABLES, Key, TenantTable
from shards.copying.lanes import in_lanes
from shards.copying.ranges import Digest, Range, compare, lines, read
from shards.copying.sessions import session

_RANGES = 10
_LANES = 2
_CHUNK_ROUNDS = 2
_MARKER_SECONDS = 30.0
_REST_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Verified:
    """Rows and chunks compared; `rechecked` chunks differed at first, because of writers."""

    rows: int
    chunks: int
    rechecked: int


async def verify(
    source: Cluster, target: Cluster, mover: Mover, batch: Batch, gate: Gate
) -> Verified:
    """Compare every row of the batch, in chunks of the batch's portions; no snapshot is held long.

    Raises:
        Diverged: a row differs and stays so.
        Superseded, Unready, ClusterError, and whatever `gate` raises.
    """
    verifying = _Verifying(source, target, mover, batch, gate)
    await in_lanes(_LANES, verifying.lane, TABLES, verifying.table)
    return Verified(verifying.rows, verifying.chunks, verifying.rechecked)


@dataclass(frozen=True, slots=True)
class _Lane:
    source: RawConnection
    target: RawConnection


@dataclass
class _Verifying:
    source: Cluster
    target: Cluster
    mover: Mover
    batch: Batch
    gate: Gate
    rows: int = 0
    chunks: int = 0
    rechecked: int = 0

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[_Lane]:
        async with (
            session(self.source, self.mover) as source,
            session(self.target, self.mover) as target,
        ):
            yield _Lane(source, target)

    async def table(self, lane: _Lane, table: TenantTable) -> None:
        """Compare a table: ranges of several tenants at a time, a portion in all."""
        waiting = [Range(client, table.least, first=True) for client in self.batch.clients]
        while waiting:
            ranges, waiting = waiting[:_RANGES], waiting[_RANGES:]
            here = await read(
                lane.source, table, ranges, self.batch.portions.compared // len(ranges)
            )
            ranges = [
                replace(one, upper=digest.last) for one, digest in zip(ranges, here, strict=True)
            ]
            await self._compare(lane, table, ranges, here)
            rest = [
                Range(one.client_id, one.upper, first=False)
                for one in ranges
                if one.upper is not None
            ]
            waiting = rest + waiting

    async def _compare(
        self, lane: _Lane, table: TenantTable, ranges: list[Range], here: list[Digest]
    ) -> None:
        await self._catch_up()
        there = await compare(lane.target, table, ranges)
        rows = sum(digest.rows for digest in here)
        self.rows += rows
        self.chunks += len(ranges)
        for one, wanted, found in zip(ranges, here, there, strict=True):
            if not _same(wanted, found):
                self.rechecked += 1
                await self._recheck(lane, table, one)
        await self.gate(rows, 0)

    async def _recheck(self, lane: _Lane, table: TenantTable, one: Range) -> None:
        for _ in range(_CHUNK_ROUNDS):
            (here,) = await compare(lane.source, table, [one])
            await self._catch_up()
            (there,) = await compare(lane.target, table, [one])
            if _same(here, there):
                return
        await self._row_by_row(lane, table, one)

    async def _row_by_row(self, lane: _Lane, table: TenantTable, one: Range) -> None:
        """A row is right when the target once had what the source had before or has behind it."""
        before: dict[Key, int] = {}
        suspects: set[Key] | None = None
        for number in range(self.batch.portions.readings):
            here = await lines(lane.source, table, one)
            await self._catch_up()
            there = await lines(lane.target, table, one)
            differ = {
                key
                for key in here.keys() | there.keys()
                if here.get(key) != there.get(key)
                and (number == 0 or here.get(key) != before.get(key))
            }
            suspects = differ if suspects is None else suspects & differ
            if not suspects:
                return
            before = there
            await asyncio.sleep(_REST_SECONDS * number)
        raise Diverged(_report(table, one, suspects or set()))

    async def _catch_up(self) -> None:
        number = await markers.put(self.source, self.mover)
        await markers.await_(self.target, self.mover, number, _MARKER_SECONDS)


def _same(one: Digest, other: Digest) -> bool:
    return (one.rows, one.one, one.two) == (other.rows, other.one, other.two)


def _report(table: TenantTable, one: Range, keys: set[Key]) -> str:
    names = sorted(
        hashlib.sha256(f"{one.client_id} {key}".encode()).hexdigest()[:16] for key in keys
    )
    shown = ", ".join(names[:5])
    return f"{table.name}: {len(keys)} rows differ; SHA-256 of their keys: {shown}"
