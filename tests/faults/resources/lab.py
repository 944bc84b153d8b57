"""One router over two shards, a tenant on each: what is done to one must not concern the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx

from services.fleet.readiness import readiness
from services.identity import key_text
from services.ids import new_id
from services.settings import Limits, Settings
from tests.integration.databases import Fleet
from tests.integration.service import Service, serving, settings_for
from tests.integration.waiting import until

# statement_timeout is 5 s, the work of a transaction ends after 8 s and a COMMIT after 10 s more.
DEADLINE_SECONDS: Final = 20.0
GENEROUS: Final = Limits(
    requests_per_second_per_principal=100_000, requests_per_second_per_client=100_000
)
Fault = Callable[[], None]


@dataclass(frozen=True)
class Tenant:
    """A client, and a caller with a key of its own."""

    id: str
    http: httpx.AsyncClient = field(repr=False)
    acknowledged: set[str] = field(default_factory=set)
    """Documents that must be found from now on (I1)."""

    @property
    def documents(self) -> str:
        return f"/v1/clients/{self.id}/documents"

    async def create(self, metadata: Mapping[str, Any] | None = None) -> httpx.Response:
        """Make a document."""
        body = {
            "original_name": f"{uuid4()}.txt",
            "mime_type": "text/plain",
            "metadata": metadata or {},
        }
        answer = await self.http.post(self.documents, json=body)
        if answer.status_code == httpx.codes.CREATED:
            self.acknowledged.add(answer.json()["id"])
        return answer

    async def list(self) -> httpx.Response:
        """The newest documents."""
        return await self.http.get(self.documents, params={"limit": "200"})

    async def made(self) -> dict[str, Any]:
        """A document; making it must succeed."""
        answer = await self.create()
        assert answer.status_code == httpx.codes.CREATED, answer.text
        document: dict[str, Any] = answer.json()
        return document


@dataclass(frozen=True)
class Lab:
    """The router, a tenant on shard-1, which tests strike, and one on shard-2."""

    fleet: Fleet
    service: Service
    struck: Tenant
    spared: Tenant

    def shards(self) -> Mapping[str, str]:
        """What the router holds of each shard."""
        return dict(readiness(self.service.resources).shards)

    async def unasked(self) -> int:
        """How many documents there are that nobody was told of; all others must be there (I1)."""
        async with self.fleet.shards["shard-1"].session() as session:
            cursor = await session.execute(
                "SELECT id::text FROM docshard.documents WHERE client_id = %s", [self.struck.id]
            )
            there = {row["id"] for row in await cursor.fetchall()}
        lost = self.struck.acknowledged - there
        assert not lost, f"{len(lost)} acknowledged documents are gone"
        return len(there - self.struck.acknowledged)

    async def until_whole(self, seconds: float = 15.0) -> float:
        """Wait until writes succeed again; the router is the same all the time (I10).

        Gives the seconds that took.
        """
        begun = time.monotonic()

        async def writes() -> bool:
            return (await self.struck.create()).status_code == httpx.codes.CREATED

        await until(writes, seconds)
        return time.monotonic() - begun


@asynccontextmanager
async def lab_over(fleet: Fleet, settings: Settings) -> AsyncIterator[Lab]:
    """A router in this process until the block ends."""
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(serving(fleet.global_db, settings))
        struck, spared = [
            Tenant(client_id, await stack.enter_async_context(service.caller(key)))
            for client_id, key in [await keyed_tenant(fleet, f"shard-{n}") for n in (1, 2)]
        ]
        yield Lab(fleet, service, struck, spared)


def settings_of(fleet: Fleet, key_file: Path, **changed: Any) -> Settings:
    """A router's settings, with limits of requests that no test meets by chance."""
    return settings_for(fleet.global_db, key_file).model_copy(update={"limits": GENEROUS} | changed)


async def keyed_tenant(fleet: Fleet, shard: str) -> tuple[str, str]:
    """A new tenant, and a key that opens its documents."""
    client_id, key = await fleet.tenant(shard), key_text.generate()
    async with fleet.global_db.session() as session:
        await session.execute(
            "INSERT INTO docshard.api_keys (id, client_id, name, key_hash, scopes, created_by)"
            " VALUES (%s, %s, 'k', %s, '{document:read,document:write,audit:read}', %s)",
            [new_id(), client_id, key.digest, new_id()],
        )
    return str(client_id), key.text


def assert_clear(answer: httpx.Response, *codes: str) -> None:
    """A refusal in the contract's words: for programs, for people, and nothing of our insides."""
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["code"] in codes, answer.text
    for inside in ("shard-", "psycopg", "Traceback", "No space", "/tmp"):  # noqa: S108  # what must not be told
        assert inside not in answer.text


@dataclass
class Neighbour:
    """What the other shard's tenant met all the time: seconds of each answer, by when it ended."""

    answers: list[tuple[float, float]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def quantile(self, part: float, since: float, until: float) -> float:
        """Seconds in which that part of the answers between these moments came."""
        there = sorted(took for ended, took in self.answers if since <= ended <= until)
        return there[int(len(there) * part)]

    def told(self, fault: str, struck_at: float, healed_at: float) -> str:
        """The line of figures: before and during, in the same run."""
        before = self.quantile(0.99, 0, struck_at)
        during = self.quantile(0.99, struck_at, healed_at)
        return (
            f"{fault}: other shard's p99 {during * 1000:.0f} ms against {before * 1000:.0f} ms"
            f" before, ratio {during / before:.2f}, of {len(self.answers)} requests"
            f" {len(self.refused)} refused"
        )


@asynccontextmanager
async def neighbour(tenant: Tenant, pause_seconds: float = 0.02) -> AsyncIterator[Neighbour]:
    """The other shard's tenant writes and reads while the block lasts, and is always served."""
    watched, stop = Neighbour(), asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            for send in (tenant.create, tenant.list):
                begun = time.monotonic()
                answer = await send()
                ended = time.monotonic()
                watched.answers.append((ended, ended - begun))
                if not answer.is_success:
                    watched.refused.append(answer.text)
            await asyncio.sleep(pause_seconds)

    async def warm() -> bool:
        return len(watched.answers) >= 20

    working = asyncio.create_task(work())
    try:
        await until(warm)
        yield watched
    finally:
        stop.set()
        await working
    assert watched.refused == []
