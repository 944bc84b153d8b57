"""What a preflight wants to know of a shard and of a batch on it."""

from __future__ import annotations

from dataclasses import dataclass

from global_db.cluster import Cluster
from shards.copying.batch import Batch


@dataclass(frozen=True, slots=True)
class Room:
    """So many are in use, of so many."""

    used: int
    most: int


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What the batch has in a table; bytes as they travel, estimated from a sample."""

    name: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class StandbyFacts:
    """A catalogued node besides the primary. `lag_bytes` is what it has not flushed yet."""

    name: str
    streams: bool
    lag_bytes: int | None


@dataclass(frozen=True, slots=True)
class ShardFacts:
    """A shard's primary; `partitions` of the audit log that are attached, with their bounds.

    `oldest_pid` runs the oldest transaction that a new slot would wait for, for so many seconds.
    `without_identity` are tenant tables whose rows cannot be told apart in a stream.
    `free_bytes` is None: PostgreSQL does not tell.
    """

    major: int
    revision: str | None
    collation: str
    wal_level: str
    partitions: tuple[str, ...]
    slots: Room
    senders: Room
    workers: Room
    oldest_seconds: float
    oldest_pid: int | None
    without_identity: tuple[str, ...]
    free_bytes: int | None
    tables: tuple[TableFacts, ...]
    standbys: tuple[StandbyFacts, ...]

    @property
    def rows(self) -> int:
        """Rows of the batch."""
        return sum(table.rows for table in self.tables)

    @property
    def bytes(self) -> int:
        """Bytes of the batch."""
        return sum(table.bytes for table in self.tables)


async def examine(cluster: Cluster, batch: Batch) -> ShardFacts:
    """Ask a shard's primary and its standbys.

    Raises:
        ClusterError.
    """
    raise NotImplementedError
