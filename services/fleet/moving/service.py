"""Moves beside the worker's timed jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from uuid import UUID

from services.fleet.audit_links import link_clients
from services.fleet.moving.runner import Runner
from services.resources import Resources, open_data
from services.settings import DatabaseRole

_log = logging.getLogger(__name__)


async def run_moves(resources: Resources, stop: asyncio.Event) -> None:
    """Run moves until told to stop, as the role that passes row-level security and replicates."""
    if resources.settings.mover_password is None:
        _log.info("DOCSHARD_MOVER_PASSWORD is not set: this worker runs no moves")
        return

    async def link_audit(shard: str, clients: Sequence[UUID]) -> None:
        await link_clients(resources.data.registry.cluster(shard), clients)

    async with open_data(resources.settings, DatabaseRole.MOVER) as data:
        await Runner(data, resources.settings.moves, link_audit).run(stop)
