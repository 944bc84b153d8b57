"""The copy of a batch: binary COPY out of the slot's snapshot, piped into the target.

What the target does with a document dominates: the index of its names. Tenants have parts of that
index of their own, so lanes side by side do not meet there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import LiteralString

from psycopg import AsyncCopy, sql

from global_db.cluster import Cluster
from global_db.connection import RawConnection
from shards.copying.batch import Batch, Gate, Mover
from shards.copying.errors import Unready
from shards.copying.lanes import in_lanes
from shards.copying.pieces import Piece, pieces
from shards.copying.sessions import first, moving, session
from shards.copying.slots import Snapshot
from shards.copying.sweep import clear

_LANES = 2
_BLOCK = 1 << 17
_GATE_BYTES = 1 << 20

# Triggers and foreign keys are for those who write; these rows were written before. Nor need each
# piece wait for standbys: before the switch they have flushed all that came before the opening.
_AS_REPLICA: LiteralString = (
    "SET LOCAL session_replication_role = replica; SET LOCAL synchronous_commit = local"
)
_IN_SNAPSHOT: LiteralString = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_SNAPSHOT = sql.SQL("SET TRANSACTION SNAPSHOT {}")
_IMPORTING: LiteralString = """
    SELECT count(*) AS importing FROM docshard.residency
     WHERE client_id = ANY (%s) AND move_id = %s AND generation = %s AND state = 'importing'
"""
_INTO = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)")


@dataclass(frozen=True, slots=True)
class Copied:
    """Rows and bytes that were copied."""

    rows: int
    bytes: int


async def copy_batch(
    source: Cluster, target: Cluster, mover: Mover, batch: Batch, *, snapshot: Snapshot, gate: Gate
) -> Copied:
    """Copy every tenant table's rows of the batch into the target, which must be wiped.

    Raises:
        Superseded, ClusterError, and whatever `gate` raises.
        Unready: the batch is not `importing` on the target for this move.
    """
    copying = _Copying(source, target, mover, batch, snapshot, gate)
    async with copying.lane() as lane:
        planned = await pieces(lane.source, batch)
    await in_lanes(_LANES, copying.lane, planned, copying.copy)
    return Copied(copying.rows, copying.bytes)


async def wipe(target: Cluster, mover: Mover, batch: Batch, gate: Gate) -> int:
    """Delete what a former attempt left on the target, markers too; answers how many rows.

    Only where the batch is `importing` for this move, which each transaction checks anew.

    Raises:
        As `sweep`.
    """
    return await clear(target, mover, batch, gate, state="importing")


@dataclass(frozen=True, slots=True)
class _Lane:
    """A connection that reads in the snapshot, and one that writes."""

    source: RawConnection
    target: RawConnection


@dataclass
class _Copying:
    source: Cluster
    target: Cluster
    mover: Mover
    batch: Batch
    snapshot: Snapshot
    gate: Gate
    rows: int = 0
    bytes: int = 0

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[_Lane]:
        async with (
            session(self.source, self.mover) as source,
            session(self.target, self.mover) as target,
        ):
            await source.execute(_IN_SNAPSHOT)
            await source.execute(_SNAPSHOT.format(sql.Literal(self.snapshot.name)))
            yield _Lane(source, target)

    async def copy(self, lane: _Lane, piece: Piece) -> None:
        into = _INTO.format(piece.table.qualified, piece.table.columns)
        async with moving(lane.target, self.mover) as target:
            await self._check(target)
            await target.execute(_AS_REPLICA)
            async with (
                lane.source.cursor().copy(piece.out()) as reading,
                target.cursor().copy(into) as writing,
            ):
                await self._pump(reading, writing)

    async def _pump(self, reading: AsyncCopy, writing: AsyncCopy) -> None:
        """Forward blocks; about every MiB the gate is awaited."""
        block, rows, told = bytearray(), 0, 0
        async for data in reading:
            block += data
            rows += 1
            if len(block) >= _BLOCK:
                await writing.write(block)
                told += len(block)
                block = bytearray()
                if told >= _GATE_BYTES:
                    await self._tell(rows, told)
                    rows = told = 0
        await writing.write(block)
        # Before the first row stands a header and behind the last one a trailer, a row to nobody.
        await self._tell(max(0, rows - 1), told + len(block))

    async def _tell(self, rows: int, size: int) -> None:
        self.rows += rows
        self.bytes += size
        await self.gate(rows, size)

    async def _check(self, target: RawConnection) -> None:
        mover, clients = self.mover, list(self.batch.clients)
        row = await first(target, _IMPORTING, clients, mover.move_id, mover.generation)
        if row is None or row["importing"] != len(clients):
            raise Unready(f"{self.target.name}: the batch is not importing for this move")
