"""Work for a tenant's transactions: the smallest that shows where it landed."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from shards import documents
from shards.documents import Document
from shards.tenants import TenantRead, TenantWrite
from tests.integration.databases import Fleet


def insert(document_id: UUID) -> Callable[[TenantWrite], Awaitable[None]]:
    async def work(tenant: TenantWrite) -> None:
        await documents.insert(tenant, new_document(tenant, document_id))

    return work


def new_document(tenant: TenantWrite, document_id: UUID) -> Document:
    return Document(
        *(tenant.client_id, document_id, "a.txt", None, "text/plain", 0, None, None, {}, 1),
        *(tenant.now, tenant.client_id, tenant.now, None),
    )


def look(document_id: UUID) -> Callable[[TenantRead], Awaitable[Document | None]]:
    return lambda tenant: documents.get(tenant, document_id)


async def found_on(fleet: Fleet, document_id: UUID) -> list[str]:
    """The shards that have the document, past any policy."""
    found = []
    for name, shard in fleet.shards.items():
        async with shard.session() as session:
            cursor = await session.execute(
                "SELECT FROM docshard.documents WHERE id = %s", [document_id]
            )
            if await cursor.fetchone() is not None:
                found.append(name)
    return found
