"""Callers of one tenant at work through the services, and what they were told.

They do what a careful caller does: a write that was not answered, or was answered by "not now", is
sent again with its Idempotency-Key; a read carries the token of the last write. What fails
nevertheless, or shows less than was acknowledged before, is a fault.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from services.access.admission import TenantAccess
from services.access.reads import Asked, with_reading
from services.committed import Committed, read, write
from services.errors import IdempotencyInProgress, ServiceError, TemporaryError
from services.idempotency import key_for, once_in_tenant
from services.ids import new_id
from services.resources import Resources
from services.tenant import documents, versions
from services.tenant.document_state import NewDocument, lock_living
from services.tenant.versions import NewContent
from shards import versions as version_rows
from shards.tenants import TenantRead, TenantWrite
from tests.integration.waiting import until

T = TypeVar("T")

_PATIENCE_SECONDS = 15.0
_AGAIN_SECONDS = 0.02
# Others share the processor.
_WRITE_PAUSE_SECONDS = 0.2
_READ_PAUSE_SECONDS = 0.4
# What is slow has company: the lines to the servers are served by the same loop as the callers.
_GIVE_WAY = 3.0
_LONGEST_PAUSE_SECONDS = 0.5
_LISTS = 3
_MOST = 100_000


class Fault(Exception):
    """Something that no correct service does."""


@dataclass(frozen=True)
class _Done:
    """What is kept for an append's Idempotency-Key."""

    operation: str


_KEPT: TypeAdapter[_Done] = TypeAdapter(_Done)


def digest_of(operation: str) -> bytes:
    """The checksum of a version's content."""
    return hashlib.sha256(operation.encode()).digest()


@dataclass
class Ledger:
    """What one tenant's callers were told. Times are seconds of one clock."""

    resources: Resources
    access: TenantAccess
    made: dict[UUID, str] = field(default_factory=dict)
    """The names of documents whose making was acknowledged, by id."""
    lists: dict[UUID, list[str]] = field(default_factory=dict)
    """Versions that were acknowledged, by document, in their order."""
    acknowledged: list[float] = field(default_factory=list)
    replays: list[tuple[str, UUID]] = field(default_factory=list)
    """Idempotency-Keys of documents, and the document of each."""
    reads: int = 0
    token: str | None = None
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    @property
    def client_id(self) -> UUID:
        """Whose."""
        return self.access.client_id

    @property
    def writes(self) -> int:
        """Acknowledged so far."""
        return len(self.acknowledged)

    def longest_gap(self, since: float) -> float:
        """Seconds from one acknowledged write to the next, at most."""
        return max((b - a for a, b in pairwise(self.acknowledged) if b > since), default=0.0)

    async def furnish(self, count: int) -> None:
        """Documents, some of them with versions."""
        for _ in range(count):
            await self.write_once()

    async def write_once(self) -> None:
        """One write, by turns a new document and a new version."""
        if len(self.lists) < _LISTS or self.chance.random() < 0.5:
            await self._make()
        else:
            await self._append(self.chance.choice(list(self.lists)))

    async def read_once(self) -> None:
        """One read with the newest token: it shows all that was acknowledged before it."""
        document = self.chance.choice(list(self.lists))
        promised = list(self.lists[document])
        access = await self._reading()
        seen = await _patiently(lambda: _seen(self.resources, access, document))
        if not set(promised) <= set(seen):
            raise Fault(f"{document} was read with {len(seen)} of {len(promised)} versions")
        self.reads += 1

    async def replay(self, count: int) -> None:
        """Requests that are sent once more get the answer they got (I2)."""
        for key, document in self.replays[-count:]:
            again = await _patiently(lambda key=key: self._create(key))  # type: ignore[misc]  # B023
            if again.value.id != document:
                raise Fault(f"{key} made {document}, and then {again.value.id}")

    async def served(self) -> None:
        """Wait until a write that begins from now on is acknowledged."""
        wanted = self.writes + 2

        async def there() -> bool:
            return self.writes >= wanted

        await until(there, _PATIENCE_SECONDS)

    async def _make(self) -> None:
        key = str(new_id())
        made = await _patiently(lambda: self._create(key))
        self.made[made.value.id] = key
        self.replays.append((key, made.value.id))
        if len(self.lists) < _LISTS:
            self.lists[made.value.id] = []
        self._acknowledged(made.consistency_token)

    async def _create(self, key: str) -> Committed[documents.Document]:
        new = NewDocument(key, "text/plain", {"key": key})
        return await documents.create(self.resources, self.access, new, key)

    async def _append(self, document: UUID) -> None:
        operation = str(new_id())
        done = await _patiently(lambda: _append(self.resources, self.access, document, operation))
        self.lists[document].append(operation)
        self._acknowledged(done.consistency_token)

    def _acknowledged(self, token: str) -> None:
        self.token = token
        self.acknowledged.append(time.monotonic())

    async def _reading(self) -> TenantAccess:
        return await with_reading(
            self.resources, self.access, Asked("list_versions", token=self.token)
        )


@asynccontextmanager
async def at_work(ledgers: Sequence[Ledger]) -> AsyncIterator[None]:
    """A writer and a reader of each tenant while the block lasts; a fault ends the block."""
    stop = asyncio.Event()

    async def keep(work: Callable[[], Awaitable[None]], pause: float) -> None:
        while not stop.is_set():
            begun = time.monotonic()
            await work()
            took = time.monotonic() - begun
            await asyncio.sleep(max(pause, min(took * _GIVE_WAY, _LONGEST_PAUSE_SECONDS)))

    async with asyncio.TaskGroup() as group:
        for ledger in ledgers:
            group.create_task(keep(ledger.write_once, _WRITE_PAUSE_SECONDS))
            group.create_task(keep(ledger.read_once, _READ_PAUSE_SECONDS))
        try:
            yield
        finally:
            stop.set()


async def _patiently(send: Callable[[], Awaitable[T]]) -> T:
    """The answer to a request that is sent until it has one."""
    begun = time.monotonic()
    while True:
        try:
            return await send()
        except (TemporaryError, IdempotencyInProgress) as error:
            if time.monotonic() - begun > _PATIENCE_SECONDS:
                raise Fault(f"not answered within {_PATIENCE_SECONDS:.0f} s: {error}") from error
        except ServiceError as error:
            raise Fault(f"{error.code}: {error}") from error
        await asyncio.sleep(_AGAIN_SECONDS)


async def _append(
    resources: Resources, access: TenantAccess, document: UUID, operation: str
) -> Committed[_Done]:
    once = key_for(access.caller.principal, operation, "append", [operation])

    async def work(tenant: TenantWrite) -> _Done:
        async def effect() -> _Done:
            locked = await lock_living(tenant, document)
            content = NewContent(new_id(), operation, "text/plain", 1, digest_of(operation))
            await versions.append(tenant, access, locked, content)
            return _Done(operation)

        return await once_in_tenant(tenant, once, _KEPT, effect)

    return await write(resources, access.client_id, work, repeatable=True)


async def _seen(resources: Resources, access: TenantAccess, document: UUID) -> Sequence[str]:
    async def work(tenant: TenantRead) -> Sequence[str]:
        rows = await version_rows.newest(tenant, document, None, _MOST)
        return [row.s3_key for row in reversed(rows)]

    return await read(resources, access.client_id, work, access.reading)
