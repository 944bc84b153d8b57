"""The audit of reads: who was given which content, written soon after and never in the way.

A read is noted in memory and filed within about half a second, in one transaction for each tenant.
So a process that is killed loses what it noted in that time, and a shard that is away for long
loses what does not fit the queue; each loss is counted and logged. A row may be filed twice when
the outcome of its transaction is unknown: an audit that says too much is better than one that says
too little.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from services.access.admission import TenantAccess
from services.audit import Event, record
from services.committed import write
from services.errors import NotFound, ServiceError
from services.resources import Resources
from services.tenant.content import Outgoing
from shards.tenants import TenantWrite

_log = logging.getLogger(__name__)

Way = Literal["address", "stream"]
"""How content was given: as a presigned address, or streamed through us."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How many reads wait at most, how many one transaction files, and how often that is done."""

    queue: int = 10_000
    batch: int = 200
    every_seconds: float = 0.5
    closing_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Noted:
    """One read that has to be filed."""

    access: TenantAccess
    document_id: UUID
    version_number: int
    way: Way
    at: datetime

    def event(self) -> Event:
        """The audit event; its row is dated when it is filed, since dates there only grow."""
        told = {"version_number": self.version_number, "given_as": self.way, "read_at": self.at}
        return Event("content.read", "document", self.document_id, None, told)


class ReadLog:
    """The reads of one process that are not filed yet."""

    def __init__(self, resources: Resources, limits: ReadLimits | None = None) -> None:
        self._resources = resources
        self._limits = limits or ReadLimits()
        self._waiting: deque[Noted] = deque()
        self._ending = asyncio.Event()
        self.lost = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def note(self, access: TenantAccess, content: Outgoing, way: Way) -> None:
        """Remember a read; at once, whatever the databases do."""
        if len(self._waiting) >= self._limits.queue:
            self._lose(1, "the queue is full")
            return
        version = content.version
        self._waiting.append(
            Noted(access, version.document_id, version.version_number, way, datetime.now(UTC))
        )

    async def flush(self) -> None:
        """File what waits. What cannot be filed now waits on, behind what came meanwhile."""
        by_client: defaultdict[UUID, list[Noted]] = defaultdict(list)
        while self._waiting:
            noted = self._waiting.popleft()
            by_client[noted.access.client_id].append(noted)
        pending = list(by_client.values())
        try:
            # One tenant after the other: a fenced one delays the others by its wait at most.
            while pending:
                await self._file(pending[-1])
                pending.pop()
        finally:
            for rest in pending:
                self._put_back(rest)

    async def _file(self, noted: list[Noted]) -> None:
        while noted:
            batch = noted[: self._limits.batch]
            try:
                await self._write(batch)
            except NotFound:
                self._lose(len(noted), "their client is gone")
                return
            except ServiceError as error:
                _log.info("%s reads are filed later: %s", len(noted), error)
                self._put_back(noted)
                return
            del noted[: len(batch)]

    async def _write(self, batch: Sequence[Noted]) -> None:
        async def work(tenant: TenantWrite) -> None:
            for noted in batch:
                await record(tenant, noted.access.caller, noted.event())

        await write(self._resources, batch[0].access.client_id, work)

    def _put_back(self, noted: list[Noted]) -> None:
        room = max(self._limits.queue - len(self._waiting), 0)
        self._waiting.extend(noted[:room])
        if len(noted) > room:
            self._lose(len(noted) - room, "the queue is full")

    def _lose(self, number: int, why: str) -> None:
        self.lost += number
        _log.error("%s reads of content were not audited, %s so far: %s", number, self.lost, why)

    async def keep_filing(self) -> None:
        """File what waits, again and again, and the rest when the log ends."""
        ending = False
        while not ending:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.every_seconds):
                    await self._ending.wait()
            ending = self._ending.is_set()
            try:
                await self.flush()
            except Exception:
                # Whatever it is, reads go on being noted, and filing is tried again.
                _log.exception("reads could not be filed")

    async def close(self, filing: asyncio.Task[None]) -> None:
        """Wait until the rest is filed, for a bounded time.

        A transaction under way is let come to its end: cut, it would be filed again by the next.
        """
        self._ending.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.closing_seconds):
                await filing
        if self._waiting:
            self._lose(len(self._waiting), "the process ends")


@asynccontextmanager
async def read_log(
    resources: Resources, limits: ReadLimits | None = None
) -> AsyncIterator[ReadLog]:
    """A log that is filed in the background until the block ends."""
    log = ReadLog(resources, limits)
    filing = asyncio.create_task(log.keep_filing(), name="filing of reads")
    try:
        yield log
    finally:
        await log.close(filing)
