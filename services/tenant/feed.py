"""Waiting for a chain to grow: many may wait, one of them asks.

For each tenant that somebody waits for, one task asks the shard for the newest seq, four times a
second at most. A waiter holds no connection, and there is a bound to how many wait (I9).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from global_db.timing import WAIT, measured
from services.chain.sources import TenantChain
from services.errors import Overloaded, ServiceError
from services.resources import Data

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FeedLimits:
    """How many wait at once in this process, and how often a tenant's chain is looked at."""

    waiting: int = 200
    every_seconds: float = 0.25


@dataclass(slots=True)
class _Watch:
    """One tenant's chain: the newest seq seen, or that it could not be seen."""

    seq: int = 0
    failed: bool = False
    waiting: int = 0
    looked: asyncio.Condition = field(default_factory=asyncio.Condition)


class Feed:
    """The waiters of one process."""

    def __init__(self, data: Data, limits: FeedLimits | None = None) -> None:
        self._data = data
        self._limits = limits or FeedLimits()
        self._watches: dict[UUID, _Watch] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = 0

    async def grown(self, client_id: UUID, seq: int, seconds: float) -> bool:
        """Wait until the chain is longer than `seq`, for so long at most; False when it was not.

        When the chain cannot be seen it answers at once: whoever reads it is told why.

        Raises:
            Overloaded: too many wait already.
        """
        if self._waiting >= self._limits.waiting:
            raise Overloaded("Too many requests wait for changes.")
        watch = self._watch(client_id)
        self._waiting += 1
        watch.waiting += 1
        try:
            with measured(WAIT):
                async with asyncio.timeout(seconds), watch.looked:
                    await watch.looked.wait_for(lambda: watch.seq > seq or watch.failed)
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
            watch.waiting -= 1
        return True

    def _watch(self, client_id: UUID) -> _Watch:
        watch = self._watches.get(client_id)
        if watch is None:
            watch = self._watches[client_id] = _Watch()
            task = asyncio.create_task(self._look(client_id, watch), name=f"watch {client_id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return watch

    async def _look(self, client_id: UUID, watch: _Watch) -> None:
        """Look again and again while somebody waits."""
        source = TenantChain(self._data, client_id)
        try:
            while not watch.failed:
                await asyncio.sleep(self._limits.every_seconds)
                if not watch.waiting:
                    return
                await self._see(source, watch)
        finally:
            # In the same step as the last look at who waits: nobody is left behind.
            del self._watches[client_id]

    async def _see(self, source: TenantChain, watch: _Watch) -> None:
        try:
            tip = await source.tip()
            watch.seq = 0 if tip is None else tip.seq
        except ServiceError as error:
            _log.info("the chain of %s cannot be seen: %s", source.client_id, error)
            watch.failed = True
        async with watch.looked:
            watch.looked.notify_all()

    async def close(self) -> None:
        """Stop looking."""
        for task in list(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def open_feed(data: Data, limits: FeedLimits | None = None) -> AsyncIterator[Feed]:
    """A feed until the block ends."""
    feed = Feed(data, limits)
    try:
        yield feed
    finally:
        await feed.close()
