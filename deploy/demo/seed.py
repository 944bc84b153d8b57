"""Seeding: bring the demo's tenants and their files into a running service, over HTTP alone."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import httpx

from deploy.demo.corpus import find_corpus
from deploy.demo.plan import Collection, Fate, PlannedDocument, fate_is_due, missing, plan
from deploy.demo.tenants import TENANTS
from deploy.errors import OperatorError
from docshard_client import AsyncDocshard, Client, DocshardError, Document

T = TypeVar("T")

DOCUMENTS = 500
AT_ONCE = 12
"""Documents under way at a time: enough to keep two cores busy, few enough to stay polite."""

KEY_SCOPES = (
    "client:read",
    "document:read",
    "document:write",
    "document:delete",
    "audit:read",
    "report:read",
)

ProgressReport = Callable[[int, int], None]
"""Called with documents done and documents in all."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What one shard, or all of them, hold of the demo."""

    clients: int = 0
    documents: int = 0
    bytes: int = 0

    def plus(self, collection: Collection) -> "Totals":
        """These and one more tenant's collection."""
        size = sum(planned.file.size for planned in collection.documents)
        return Totals(
            self.clients + 1, self.documents + len(collection.documents), self.bytes + size
        )


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What a person needs to try the demo: the largest tenant, its key, and what is where."""

    client_id: UUID
    key: str
    shards: Mapping[str, Totals]


@dataclass(frozen=True, slots=True)
class _Task:
    client_id: UUID
    planned: PlannedDocument
    present: Document | None


async def seed(
    api: str,
    admin_email: str,
    admin_password: str,
    progress: ProgressReport,
    documents: int = DOCUMENTS,
) -> DemoResult:
    """Create what is missing of the demo and a new key for its largest tenant.

    `api` is the base URL. Safe to repeat after any interruption: present documents are looked up
    and creations carry Idempotency-Keys. Raises OperatorError when the service refuses something.
    """
    collections = plan(await asyncio.to_thread(find_corpus, documents))
    # Without the environment's proxies: the local fleet is on loopback.
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        service = AsyncDocshard(api, http=http)
        try:
            return await _seed(service, (admin_email, admin_password), collections, progress)
        except DocshardError as error:
            raise _failed(error) from error


async def _seed(
    service: AsyncDocshard,
    admin: tuple[str, str],
    collections: list[Collection],
    progress: ProgressReport,
) -> DemoResult:
    await service.login(*admin)
    clients = await _clients(service, collections)
    tasks = [
        task
        for found in await _gather(_tasks(service, clients[c.tenant.code], c) for c in collections)
        for task in found
    ]
    await _work(service, tasks, progress)
    largest = clients[TENANTS[0].code]
    key = await service.create_api_key(largest.id, "demo", KEY_SCOPES)
    return DemoResult(largest.id, key.key, await _shards(service, clients, collections))


async def _clients(service: AsyncDocshard, collections: list[Collection]) -> dict[str, Client]:
    """The demo's tenants by code, those created that do not exist."""
    present = {client.code: client async for client in service.list_clients()}
    for rank, collection in enumerate(collections, start=1):
        tenant = collection.tenant
        if tenant.code not in present:
            present[tenant.code] = await service.create_client(
                tenant.code,
                tenant.name,
                {"demo": True, "rank": rank},
                idempotency_key=f"demo-{tenant.code}",
            )
    return present


async def _tasks(service: AsyncDocshard, client: Client, collection: Collection) -> list[_Task]:
    present = [d async for d in service.list_documents(client.id, deleted="include")]
    return [_Task(client.id, *pair) for pair in missing(collection, present)]


async def _work(service: AsyncDocshard, tasks: list[_Task], progress: ProgressReport) -> None:
    """Finish all documents, a few at a time."""
    left, done = iter(tasks), 0

    async def worker() -> None:
        nonlocal done
        for task in left:
            await _finish(service, task)
            done += 1
            progress(done, len(tasks))

    await _gather(worker() for _ in range(AT_ONCE))


async def _finish(service: AsyncDocshard, task: _Task) -> None:
    """Bring one document from what it is to what is planned."""
    document = task.present or await _create(service, task)
    contents = await asyncio.to_thread(list, task.planned.contents(document.current_version))
    for content in contents:
        await service.put_content(task.client_id, document.id, content, task.planned.file.mime_type)
    if fate_is_due(task.planned, document):
        await _meet_fate(service, task, document.id)


async def _create(service: AsyncDocshard, task: _Task) -> Document:
    planned = task.planned
    return await service.create_document(
        task.client_id,
        planned.first_name,
        planned.file.mime_type,
        {"path": planned.key, "source": planned.file.source},
        idempotency_key=f"demo-{planned.file.rank:016x}",
    )


async def _meet_fate(service: AsyncDocshard, task: _Task, document_id: UUID) -> None:
    client_id, planned = task.client_id, task.planned
    # Its content changed the document, so its ETag is not the one it was created with.
    etag = (await service.get_document(client_id, document_id)).etag or ""
    match planned.fate:
        case Fate.RENAMED:
            name = planned.file.name
            await service.update_document(client_id, document_id, etag, original_name=name)
        case Fate.REVIEWED:
            reviewed: dict[str, Any] = {"reviewed": True}
            await service.update_document(client_id, document_id, etag, metadata=reviewed)
        case Fate.DELETED:
            await service.delete_document(client_id, document_id, etag)
        case Fate.KEPT:
            pass


async def _shards(
    service: AsyncDocshard, clients: Mapping[str, Client], collections: list[Collection]
) -> dict[str, Totals]:
    totals: dict[str, Totals] = {}
    for collection in collections:
        placement = await service.get_placement(clients[collection.tenant.code].id)
        totals[placement.shard] = totals.get(placement.shard, Totals()).plus(collection)
    return dict(sorted(totals.items()))


async def _gather(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order; at the first error the others are cancelled and it is raised alone."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return [task.result() for task in tasks]


def _failed(error: DocshardError) -> OperatorError:
    return OperatorError(
        f"The demo could not be seeded: {error}",
        "The fleet runs, but the demo's tenants are not complete.",
        "Run the same command again: it goes on where it stopped.",
    )
