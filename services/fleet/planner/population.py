"""Everybody who lives in the fleet, in columns: a million tenants take about 50 MB.

An object for each would take ten times that; so tenants are positions in arrays here, and become
ids again only where a plan names those who move.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from operator import add
from uuid import UUID

_ID_BYTES = 16
Octets = bytes  # where a column has the name of the type


class Hold(IntEnum):
    """What keeps a tenant from being planned."""

    FREE = 0
    PINNED = 1
    MOVING = 2
    """A move that has not ended has it already; it counts as living on that move's target."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant as it comes from the global database.

    Rows and bytes are None while nobody has measured them; `reads` and `writes` are per second.
    """

    client_id: UUID
    shard: str
    hold: Hold = Hold.FREE
    rows: int | None = None
    bytes: int | None = None
    reads: float = 0.0
    writes: float = 0.0


@dataclass(frozen=True, slots=True)
class ShardFacts:
    """What planning knows of a shard. One that is not active drains: it gives and never takes."""

    name: str
    weight: float = 1.0
    active: bool = True


@dataclass(frozen=True, slots=True)
class Columns:
    """Tenants side by side, in one order.

    `ids`: 16 bytes each; `shard`: places in the population's shards; `hold`: a byte each, see Hold;
    `rows` and `bytes`: below 0 while nobody has measured them; `reads` and `writes` per second.
    """

    ids: Octets
    shard: array[int]
    hold: Octets
    rows: array[int]
    bytes: array[int]
    reads: array[float]
    writes: array[float]


class Population:
    """Tenants in the order in which they were added, on shards that are positions, too."""

    def __init__(self, shards: Sequence[ShardFacts]) -> None:
        self.shards = tuple(shards)
        self.position = {shard.name: at for at, shard in enumerate(self.shards)}
        self.shard = array("I")
        self.hold = bytearray()
        self.rows = array("q")
        self.bytes = array("q")
        self.requests = array("d")
        """Reads and writes per second."""
        self.writes = array("d")
        self._ids = bytearray()
        self._unmeasured = array("I")

    def __len__(self) -> int:
        return len(self.shard)

    def add(self, tenant: Tenant) -> None:
        """Take one tenant in. KeyError when its shard is not among the shards."""
        if tenant.rows is None or tenant.bytes is None:
            self._unmeasured.append(len(self))
        self.shard.append(self.position[tenant.shard])
        self._ids += tenant.client_id.bytes
        self.hold.append(tenant.hold)
        self.rows.append(tenant.rows or 0)
        self.bytes.append(tenant.bytes or 0)
        self.requests.append(tenant.reads + tenant.writes)
        self.writes.append(tenant.writes)

    def extend(self, columns: Columns) -> None:
        """Take many in at once: nothing is made for a single tenant."""
        start = len(self)
        self.shard += columns.shard
        self._ids += columns.ids
        self.hold += columns.hold
        self.rows += columns.rows
        self.bytes += columns.bytes
        self.requests.extend(map(add, columns.reads, columns.writes))
        self.writes += columns.writes
        for at in range(start, len(self)):
            if self.rows[at] < 0 or self.bytes[at] < 0:
                self._unmeasured.append(at)
                self.rows[at], self.bytes[at] = max(0, self.rows[at]), max(0, self.bytes[at])

    @property
    def ids(self) -> bytes:
        """The ids of all, 16 bytes each."""
        return bytes(self._ids)

    def id(self, at: int) -> UUID:
        """The id of the tenant at this position."""
        return UUID(bytes=bytes(self._ids[at * _ID_BYTES : (at + 1) * _ID_BYTES]))

    @property
    def unmeasured(self) -> int:
        """Tenants whose size nobody has measured yet."""
        return len(self._unmeasured)

    def assume_mean(self) -> None:
        """Take those not measured yet for as large as the others are on average."""
        measured = len(self) - self.unmeasured
        if measured:
            rows, size = sum(self.rows) // measured, sum(self.bytes) // measured
            for at in self._unmeasured:
                self.rows[at], self.bytes[at] = rows, size
