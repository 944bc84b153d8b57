"""A running service whose lines fail at COMMIT, and clients that find out what became of a call."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx

from services.fleet import blob_check
from services.resources import open_data
from services.s3_settings import S3Settings
from services.settings import DatabaseRole
from tests.integration.databases import registered_fleet
from tests.integration.document_model import Document, Refusal, Told, changes, comparable
from tests.integration.frames import COMMIT, Fault, How
from tests.integration.postgres import Postgres
from tests.integration.waiting import until
from tests.integration.wired import Wired, wired_service

T = TypeVar("T")
SCOPES = ["document:read", "document:write", "document:delete", "audit:read"]
UNKNOWN = "outcome_unknown"


@dataclass
class Planned:
    """A failure that waits for the `at`-th COMMIT of a call."""

    how: How
    at: int = 1


@dataclass(frozen=True)
class Client:
    """A tenant and two callers: `callers[0]` may purge."""

    id: str
    shard: str
    callers: tuple[httpx.AsyncClient, httpx.AsyncClient]

    @property
    def documents(self) -> str:
        return f"/v1/clients/{self.id}/documents"

    def path(self, document: Document) -> str:
        return f"{self.documents}/{document.id}"


@dataclass
class World:
    """The service, and the loop in whose thread it lives: its work goes on between our steps."""

    loop: asyncio.AbstractEventLoop
    wired: Wired
    numbers: Iterator[int] = field(default_factory=count)
    tally: Counter[str] = field(default_factory=Counter)
    """What histories have met so far."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the service's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def request_id(self) -> str:
        return f"model-{next(self.numbers)}"

    async def clients(self) -> list[Client]:
        """New tenants: two on one shard, and one on the other."""
        found: dict[str, list[str]] = {"shard-1": [], "shard-2": []}
        while len(found["shard-1"]) < 2 or not found["shard-2"]:
            client_id = await self.wired.client()
            found[await self.wired.home(client_id)].append(client_id)
        chosen = [
            *((one, "shard-1") for one in found["shard-1"][:2]),
            (found["shard-2"][0], "shard-2"),
        ]
        return [await self._client(*one) for one in chosen]

    async def _client(self, client_id: str, shard: str) -> Client:
        async def caller(*scopes: str) -> httpx.AsyncClient:
            body = {"name": "model", "scopes": scopes}
            key = await self.wired.made(f"/v1/clients/{client_id}/api-keys", body)
            return self.wired.service.caller(key["key"])

        return Client(
            client_id, shard, (await caller(*SCOPES, "document:purge"), await caller(*SCOPES))
        )

    @contextmanager
    def failing(self, client: Client, planned: Planned | None) -> Iterator[Fault | None]:
        """The line to a client's shard fails as planned, within the block."""
        wire = self.wired.wires[client.shard]
        wire.fault = None if planned is None else Fault(planned.how, planned.at, COMMIT)
        try:
            yield wire.fault
        finally:
            wire.fault = None

    async def look(self, client: Client, document: Document) -> httpx.Response:
        """The document as it is, deleted or not; it must be what the model says."""
        answer = await self.seen(client, document)
        if document.purged:
            assert answer.status_code == 404, answer.text
            return answer
        shown = answer.json()
        told = comparable({name: shown[name] for name in document.image()})
        assert (told, answer.headers["ETag"]) == (document.image(), document.etag)
        document.shown = shown
        return answer

    async def seen(self, client: Client, document: Document) -> httpx.Response:
        return await client.callers[0].get(client.path(document), params={"deleted": "include"})

    async def audited(self, client: Client, **filters: str) -> list[dict[str, Any]]:
        """Rows of the audit log, oldest first."""
        rows: list[dict[str, Any]] = []
        params = {"limit": "200", **filters}
        while True:
            answer = await client.callers[0].get(
                f"/v1/clients/{client.id}/audit-logs", params=params
            )
            assert answer.status_code == 200, answer.text
            rows += answer.json()["items"]
            if answer.json()["next_cursor"] is None:
                return rows[::-1]
            params["cursor"] = answer.json()["next_cursor"]

    async def check_audit(self, client: Client, document: Document) -> None:
        """I5: exactly one row for each change, with what was and what is."""
        rows = await self.audited(client, entity_id=document.id)
        changed = [row for row in rows if row["action"] != "content.read"]
        assert len(changed) == len(document.told), (changed, document.told)
        if all(told.changes is not None for told in document.told):
            pairs = list(zip(changed, document.told, strict=True))
        else:  # side by side the log's order by time need not be that of the commits
            pairs = [
                (row, told)
                for told in document.told
                for row in changed
                if row["request_id"] in told.requests
            ]
            assert len({row["id"] for row, _ in pairs}) == len(pairs) == len(changed)
        for row, told in pairs:
            assert (row["action"], row["request_id"] in told.requests) == (told.action, True), (
                row,
                told,
            )
            if told.changes is not None:
                given = {side: comparable(row["changes"][side]) for side in ("before", "after")}
                assert given == told.changes, (given, told)

    async def check_blobs(self) -> None:
        """I8: each version has its blob, and no blob is nobody's."""
        settings = self.wired.service.resources.settings
        as_worker = settings.model_copy(update={"worker_password": settings.app_password})
        async with open_data(as_worker, DatabaseRole.WORKER) as data:
            report = await blob_check.check(
                data, self.wired.service.resources.blobs, blob_check.WHOLE
            )
        assert (report.missing, report.orphans) == ([], [])
        self.tally["versions with their blobs"] = report.versions

    async def check_reads(self, client: Client, document: Document) -> None:
        """Reads are filed soon; again, where it is unknown whether they were."""
        wanted = set(document.reads)

        async def filed() -> bool:
            await self.wired.service.app.state.edge.reads.flush()
            rows = await self.audited(client, entity_id=document.id, action="content.read")
            return {row["request_id"] for row in rows} == wanted

        await until(filed)


def tell(
    document: Document, action: str, requests: set[str], before: dict[str, Any] | None
) -> None:
    """Note the audit row that a change of the model has to have."""
    after = None if document.purged else document.image()
    document.told.append(Told(action, frozenset(requests), changes(before, after)))


def refused(answer: httpx.Response, refusal: Refusal) -> None:
    """Check that it was refused, and as the contract says."""
    assert (answer.status_code, answer.json()["code"]) == refusal, answer.text


def is_unknown(answer: httpx.Response) -> bool:
    """Whether nobody knows what became of the call."""
    return answer.status_code == 503 and answer.json()["code"] == UNKNOWN


@contextmanager
def world(
    postgres: Postgres, shard_servers: tuple[Postgres, Postgres], s3: S3Settings, key_file: Path
) -> Iterator[World]:
    """A world in a thread of its own, until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="the service", daemon=True)
    thread.start()
    ready: asyncio.Future[Wired] = loop.create_future()
    done = asyncio.Event()

    async def live() -> None:
        async with (
            registered_fleet(postgres, shard_servers) as fleet,
            wired_service(fleet, s3, key_file) as wired,
        ):
            ready.set_result(wired)
            await done.wait()

    async def started() -> Wired:
        await asyncio.wait({living, ready}, return_when=asyncio.FIRST_COMPLETED)
        return ready.result() if ready.done() else living.result()

    def in_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return asyncio.run_coroutine_threadsafe(work(), loop).result(120)

    async def begin() -> asyncio.Task[Any]:
        return asyncio.create_task(live())

    async def end() -> None:
        done.set()
        await living

    living = in_loop(begin)
    try:
        yield World(loop, in_loop(started))
        in_loop(end)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
