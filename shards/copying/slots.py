"""Replication slots: made early, since that waits for old transactions, and always by name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from global_db.cluster import Cluster
from shards.copying.batch import Mover


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the slot's stream begins behind; `lsn` in bytes from the WAL's start."""

    name: str
    lsn: int


@asynccontextmanager
async def exported(source: Cluster, mover: Mover) -> AsyncIterator[Snapshot]:
    """Make the forward slot anew; its snapshot can be imported as long as the block lasts.

    Raises:
        Superseded, ClusterError.
        Unready: no slot is free, or a transaction that runs for seconds is in the way; says which.
    """
    raise NotImplementedError
    yield


async def make_back(target: Cluster, mover: Mover) -> None:
    """Make the slot of the way back anew; its publication comes before:
    `publish(target, mover, batch, back=True)`.

    Raises:
        As `exported`.
    """
    raise NotImplementedError


async def advance_back(target: Cluster, mover: Mover) -> None:
    """Let the way back begin behind everything that is written on the target now.

    Called before the fence to make the second call short, and behind the last marker, so that what
    the forward stream applied does not come back (PostgreSQL 15 knows no origin = none).

    Raises:
        Superseded, ClusterError.
        Unready: the slot is in use.
    """
    raise NotImplementedError


async def drop(cluster: Cluster, mover: Mover, *, back: bool = False) -> None:
    """Drop the slot, if there is one; ends the session that holds it.

    Raises:
        Superseded, ClusterError.
        Unready: whoever holds it does not end.
    """
    raise NotImplementedError
