"""What an operator's command on a whole tenant works with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from global_db import directory
from services.blobs.store import BlobStore
from services.errors import NotFound, TenantMoving
from services.failures import global_failures, tenant_failures
from services.fleet.point_manifests import copy_settings
from services.fleet.tombstones import Tombstones, open_tombstones
from services.keys.keyring import Keyring
from services.keys.providers import open_keyring
from services.resources import Data, open_data
from services.settings import DatabaseRole, Settings
from shards.row_export import NotResident, RowSnapshot, row_snapshot

_PATIENCE_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Reach:
    """The databases as the administrator and as the mover, who sees the rows of all tenants; keys
    and blobs."""

    data: Data
    mover: Data
    keyring: Keyring
    blobs: BlobStore
    copies: tuple[BlobStore, ...] = ()
    """Copies of the bucket elsewhere, which erased clients leave, too."""
    tombstones: Tombstones = field(default_factory=Tombstones)
    """Who was erased, where a restored directory can be told."""

    @property
    def buckets(self) -> tuple[BlobStore, ...]:
        """Everywhere that blobs lie."""
        return (self.blobs, *self.copies)


@asynccontextmanager
async def open_reach(settings: Settings) -> AsyncIterator[Reach]:
    """All of it, with shards and keys known.

    Raises:
        SettingMissing, DirectoryUnavailable, KeysUnavailable.
    """
    async with AsyncExitStack() as stack:
        data = await stack.enter_async_context(open_data(settings, DatabaseRole.ADMIN))
        mover = await stack.enter_async_context(open_data(settings, DatabaseRole.MOVER))
        keyring = await stack.enter_async_context(open_keyring(settings, data.global_db))
        blobs = BlobStore(settings.s3)
        stack.push_async_callback(blobs.close)
        copies = tuple(BlobStore(one) for one in copy_settings(settings))
        for copy in copies:
            stack.push_async_callback(copy.close)
        tombstones = await stack.enter_async_context(open_tombstones(settings))
        with global_failures():
            await data.registry.refresh()
            await mover.registry.refresh()
        yield Reach(data, mover, keyring, blobs, copies, tombstones)


@dataclass(frozen=True, slots=True)
class Progress:
    """Whom to tell how it goes: `step` in words, `moved` so many bytes of so many.

    A step is told when what it names is done; a total of None is not known.
    """

    step: Callable[[str], None] = lambda _: None
    moved: Callable[[int, int | None], None] = lambda _, __: None


QUIET: Final = Progress()


@asynccontextmanager
async def home_snapshot(reach: Reach, client_id: UUID) -> AsyncIterator[tuple[str, RowSnapshot]]:
    """A snapshot of a client's rows where it lives, and the shard's name.

    A client that is at the switch of a move is followed.

    Raises:
        TenantMoving: it stayed there for long. NotFound, ShardUnavailable, DirectoryUnavailable.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    async with AsyncExitStack() as stack:
        with tenant_failures():
            while True:
                try:
                    entered = await _enter(stack, reach, client_id)
                    break
                except NotResident as error:
                    if time.monotonic() > deadline:
                        raise TenantMoving("The client is at the switch of a move.") from error
                await asyncio.sleep(_PAUSE_SECONDS)
            yield entered


async def _enter(stack: AsyncExitStack, reach: Reach, client_id: UUID) -> tuple[str, RowSnapshot]:
    async with reach.data.global_db.read() as connection:
        placed = await directory.locate_any(connection, client_id)
    if placed is None:
        raise NotFound
    cluster = reach.mover.registry.cluster(placed.shard)
    snapshot = row_snapshot(cluster, client_id, placed.epoch)
    return placed.shard, await stack.enter_async_context(snapshot)
