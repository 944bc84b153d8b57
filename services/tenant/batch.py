"""Several changes of a tenant's documents in one request, each with an outcome of its own.

Each operation is its own transaction: one that is refused does not undo the others. Operations on
one document are done in their order, those on different documents side by side.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.access.admission import TenantAccess, admit_to_client
from services.committed import Committed
from services.errors import ServiceError
from services.resources import Resources
from services.tenant import documents
from services.tenant.document_state import NewDocument, Precondition
from services.tenant.documents import DocumentPatch
from shards.documents import Document

_SIDE_BY_SIDE = 4


@dataclass(frozen=True, slots=True)
class Create:
    """Make a document without content."""

    new: NewDocument


@dataclass(frozen=True, slots=True)
class Update:
    """Change a document."""

    document_id: UUID
    patch: DocumentPatch
    precondition: Precondition


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a document softly."""

    document_id: UUID
    precondition: Precondition


@dataclass(frozen=True, slots=True)
class Restore:
    """Undo a soft delete."""

    document_id: UUID


Operation = Create | Update | Delete | Restore
Outcome = Committed[Document] | ServiceError
"""What one operation did, or why not."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Operations and the request's Idempotency-Key."""

    operations: Sequence[Operation]
    key: str | None = None

    def key_of(self, place: int) -> str | None:
        """The key of one operation: repeated with the batch, a creation is not done twice."""
        if self.key is None:
            return None
        return "batch:" + hashlib.sha256(f"{place}:{self.key}".encode()).hexdigest()

    def lanes(self) -> list[list[int]]:
        """Places of operations that have to be done in their order."""
        lanes: defaultdict[int | UUID, list[int]] = defaultdict(list)
        for place, operation in enumerate(self.operations):
            own = place if isinstance(operation, Create) else operation.document_id
            lanes[own].append(place)
        return list(lanes.values())


async def run(resources: Resources, access: TenantAccess, batch: Batch) -> list[Outcome]:
    """Run every operation; outcomes are in the order of the operations."""
    outcomes: dict[int, Outcome] = {}
    places = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def lane(numbers: list[int]) -> None:
        async with places:
            for place in numbers:
                operation = batch.operations[place]
                outcomes[place] = await _outcome(resources, access, operation, batch.key_of(place))

    await asyncio.gather(*(lane(numbers) for numbers in batch.lanes()))
    return [outcomes[place] for place in range(len(batch.operations))]


async def latest_token(
    resources: Resources, client_id: UUID, outcomes: list[Outcome]
) -> str | None:
    """The Consistency-Token that covers every write of a batch; None when there was none."""
    secrets = resources.secrets.consistency
    texts = [one.consistency_token for one in outcomes if isinstance(one, Committed)]
    tokens = [await secrets.decode(client_id, text) for text in texts]
    places = [token.order for token in tokens]
    return texts[places.index(max(places))] if places else None


async def _outcome(
    resources: Resources, access: TenantAccess, operation: Operation, key: str | None
) -> Outcome:
    try:
        return await _perform(resources, access, operation, key)
    except ServiceError as error:
        return error


async def _perform(
    resources: Resources, access: TenantAccess, operation: Operation, key: str | None
) -> Committed[Document]:
    match operation:
        case Create(new):
            return await documents.create(resources, access, new, key)
        case Update(document_id, patch, precondition):
            return await documents.update(resources, access, document_id, patch, precondition)
        case Delete(document_id, precondition):
            may = await _may_delete(resources, access)
            return await documents.delete(resources, may, document_id, precondition)
        case Restore(document_id):
            may = await _may_delete(resources, access)
            return await documents.restore(resources, may, document_id)


async def _may_delete(resources: Resources, access: TenantAccess) -> TenantAccess:
    return await admit_to_client(resources, access.caller, access.client_id, "document:delete")
