"""Callers that append to lists and look at them through two workers, while somebody hurts servers.

A list is a document's versions. Each caller keeps the newest token that it was given, as the SDK
does, and sends it with most of its looks; every append has an Idempotency-Key.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from pydantic import TypeAdapter

from global_db.reading import Served, collect_served, stalest
from services.access.admission import TenantAccess
from services.access.reads import Asked, with_reading
from services.committed import read, write
from services.errors import OutcomeUnknown, ServiceError
from services.idempotency import key_for, once_in_tenant
from services.ids import new_id
from services.resources import Resources
from services.tenant import documents, versions
from services.tenant.document_state import NewDocument, lock_living
from services.tenant.versions import NewContent
from shards import versions as version_rows
from shards.tenants import TenantRead, TenantWrite
from tests.faults.history import Append, History, Look, Outcome, faults
from tests.integration.databases import Fleet
from tests.integration.desk import caller_of
from tests.integration.process import resources_of

_MOST = 100_000


@dataclass(frozen=True)
class _Done:
    """What is kept for an append's Idempotency-Key."""

    operation: str


_KEPT: TypeAdapter[_Done] = TypeAdapter(_Done)


@dataclass
class Crowd:
    """Callers of one tenant, its lists, and what they did."""

    workers: Sequence[Resources]
    access: TenantAccess
    lists: Sequence[UUID]
    history: History = field(default_factory=History)
    slowest: float = 0.0
    """Seconds from the end of a fault until every worker took an append, at most."""
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    @asynccontextmanager
    async def at_work(self, callers: int = 4) -> AsyncIterator[None]:
        """Let callers work while the block lasts."""
        stop = asyncio.Event()
        tasks = [asyncio.create_task(self._caller(stop)) for _ in range(callers)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)

    async def until_whole(self, seconds: float = 15) -> None:
        """Wait until every worker takes an append. None is restarted for that (I10)."""
        begun = time.monotonic()
        for worker in self.workers:
            while (await self._append(worker, self.lists[0]))[0].outcome is not Outcome.DONE:
                if time.monotonic() - begun > seconds:
                    raise AssertionError(f"not whole within {seconds} s")
                await asyncio.sleep(0.05)
        self.slowest = max(self.slowest, time.monotonic() - begun)

    async def faults(self) -> list[str]:
        """What no correct service can have done, told by the primary's lists."""
        final = {str(one): await _seen(self.workers[0], self.access, one) for one in self.lists}
        return faults(self.history, final)

    async def _caller(self, stop: asyncio.Event) -> None:
        token: tuple[Append, str] | None = None
        while not stop.is_set():
            worker, key = self.chance.choice(self.workers), self.chance.choice(self.lists)
            if self.chance.random() < 0.3:
                made, text = await self._append(worker, key)
                token = token if text is None else (made, text)
            else:
                await self._look(worker, key, token if self.chance.random() < 0.9 else None)
            # Others share the processor, and a refusal comes at once.
            await asyncio.sleep(0.01)

    async def _append(self, worker: Resources, key: UUID) -> tuple[Append, str | None]:
        operation, begun, text = str(new_id()), time.monotonic(), None
        try:
            text = await _append(worker, self.access, key, operation)
            outcome = Outcome.DONE
        except OutcomeUnknown:
            outcome = Outcome.UNKNOWN
        except ServiceError:
            outcome = Outcome.REFUSED
        made = Append(str(key), operation, begun, time.monotonic(), outcome)
        self.history.appends.append(made)
        return made, text

    async def _look(self, worker: Resources, key: UUID, token: tuple[Append, str] | None) -> None:
        served: list[Served] = []
        collect_served(served)
        begun = time.monotonic()
        try:
            asked = Asked("list_versions", token=None if token is None else token[1])
            access = await with_reading(worker, self.access, asked)
            seen = await _seen(worker, access, key)
        except ServiceError:
            return  # refused in clear words: it promised nothing
        made = None if token is None else token[0]
        by = stalest(served).by
        self.history.looks.append(Look(str(key), seen, begun, time.monotonic(), by, made))


async def _append(worker: Resources, access: TenantAccess, key: UUID, operation: str) -> str:
    once = key_for(access.caller.principal, operation, "append", [operation])

    async def work(tenant: TenantWrite) -> _Done:
        async def effect() -> _Done:
            document = await lock_living(tenant, key)
            content = NewContent(new_id(), operation, "text/plain", 1, bytes(32))
            await versions.append(tenant, access, document, content)
            return _Done(operation)

        return await once_in_tenant(tenant, once, _KEPT, effect)

    return (await write(worker, access.client_id, work, repeatable=True)).consistency_token


async def _seen(worker: Resources, access: TenantAccess, key: UUID) -> tuple[str, ...]:
    async def work(tenant: TenantRead) -> tuple[str, ...]:
        rows = await version_rows.newest(tenant, key, None, _MOST)
        return tuple(row.s3_key for row in reversed(rows))

    return await read(worker, access.client_id, work, access.reading)


@asynccontextmanager
async def crowd_of(fleet: Fleet, folder: Path) -> AsyncIterator[Crowd]:
    """Callers of a new tenant on shard-1, by two workers that know nothing of each other."""
    access = caller_of(await fleet.tenant("shard-1"))
    async with (
        resources_of(fleet.global_db, folder) as one,
        resources_of(fleet.global_db, folder) as other,
    ):
        new = NewDocument("a.txt", "text/plain", {})
        lists = [(await documents.create(one, access, new)).value.id for _ in range(3)]
        yield Crowd([one, other], access, lists)
