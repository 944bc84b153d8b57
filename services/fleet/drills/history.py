"""Drills in the global database and in the audit log."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from global_db import drills
from global_db.drills import Drill
from services.audit import Event, record_global
from services.failures import global_failures
from services.fleet.shards import entity_of
from services.identity.principal import Origin
from services.resources import Data

__all__ = ["Drill", "keep", "last_good", "last_of_each", "newest"]


async def keep(data: Data, drill: Drill, reason: str | None) -> None:
    """Keep what a drill has shown.

    Raises:
        DirectoryUnavailable.
    """
    told = {name: str(value) for name, value in asdict(drill).items() if name != "checked"}
    event = Event("backup.drill", "shard", entity_of(drill.cluster), None, told)
    with global_failures():
        async with data.global_db.write() as connection:
            await drills.insert(connection, drill)
            await record_global(connection, Origin(reason=reason), event)


async def newest(data: Data, most: int) -> list[Drill]:
    """The last drills, newest first.

    Raises:
        DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            return await drills.newest(connection, most)


async def last_of_each(data: Data) -> list[Drill]:
    """The last drill of each cluster.

    Raises:
        DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            return await drills.last_of_each(connection)


async def last_good(data: Data) -> dict[str, datetime]:
    """When the last good drill of each cluster was.

    Raises:
        DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            return await drills.last_good(connection)
