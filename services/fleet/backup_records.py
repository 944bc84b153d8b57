"""Backups and restores in the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.audit import Event, record_global
from services.failures import global_failures
from services.fleet.shards import entity_of
from services.identity.principal import Origin
from services.resources import Data


async def record_backups(
    data: Data, *, taken: Sequence[Mapping[str, Any]], reason: str | None
) -> None:
    """Write into the audit log which backups an operator has taken.

    Raises:
        DirectoryUnavailable: the backups are there all the same.
    """
    with global_failures():
        async with data.global_db.write() as connection:
            for one in taken:
                event = Event("backup.take", "shard", entity_of(one["cluster"]), None, dict(one))
                await record_global(connection, Origin(reason=reason), event)


async def record_restore(data: Data, *, told: Mapping[str, Any], reason: str | None) -> None:
    """Write into the audit log what an operator has restored beside what lives.

    Raises:
        DirectoryUnavailable: what was restored is there all the same.
    """
    with global_failures():
        async with data.global_db.write() as connection:
            for cluster in told["clusters"]:
                event = Event("backup.restore", "shard", entity_of(cluster), None, dict(told))
                await record_global(connection, Origin(reason=reason), event)
