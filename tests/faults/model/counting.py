"""A document that is changed again and again: each change names the one before it (I1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

from services.errors import OutcomeUnknown, PreconditionFailed
from services.resources import Resources
from services.tenant import documents
from services.tenant.document_state import NewDocument
from services.tenant.documents import Document, DocumentPatch
from tests.faults.model.beliefs import ACTIVE, PREFIX, Count, Tenant
from tests.faults.model.elsewhere import answered, seen
from tests.faults.model.stage import Stage
from tests.integration.desk import caller_of


@dataclass
class Counter:
    """Counts in a document of the tenant, and looks after each change whether it is there."""

    stage: Stage
    tenant: Tenant
    worker: Callable[[], Resources]
    _count: Count | None = None

    async def count(self) -> None:
        """One more."""
        if self.tenant.status != ACTIVE:
            return
        if self._count is None:
            self._count = await self._begun()
        elif (token := await self._changed(self._count)) is None:
            # Whether the last one was made nobody knows: another document.
            self.tenant.counts.remove(self._count)
            self._count = None
        else:
            await self._look(self._count, token)

    async def _begun(self) -> Count | None:
        worker, key = self.worker(), uuid4().hex
        name = f"{PREFIX}{next(self.stage.numbers)}"
        self.tenant.sent.add(name)
        new, access = NewDocument(name, "text/plain", {"n": 0}), caller_of(UUID(self.tenant.id))
        made = await answered(self.tenant, lambda: documents.create(worker, access, new, key))
        if made is None:
            return None
        self.tenant.crowd[name] = str(made.value.id)
        count = Count(made.value.id)
        self.tenant.counts.append(count)
        return count

    async def _changed(self, count: Count) -> str | None:
        """The token of the change; empty when only a second try tells that the first was done."""
        worker, access = self.worker(), caller_of(UUID(self.tenant.id))
        unknown = False

        def unchanged(found: Document) -> bool:
            return bool(found.metadata["n"] == count.number)

        async def send() -> str:
            nonlocal unknown
            patch = DocumentPatch(metadata={"n": count.number + 1})
            try:
                done = await documents.update(worker, access, count.document, patch, unchanged)
            except OutcomeUnknown:
                unknown = True
                raise
            except PreconditionFailed:
                assert unknown, f"tenant {self.tenant.number} has lost change {count.number}"
                return ""
            return done.consistency_token

        token = await answered(self.tenant, send)
        if token is not None:
            count.number += 1
            self.stage.tally["writes acknowledged"] += 1
        return token

    async def _look(self, count: Count, token: str) -> None:
        if token:
            shown = await seen(self.worker(), self.tenant, count.document, token)
            assert shown is None or shown.metadata["n"] == count.number, (
                f"tenant {self.tenant.number}: change {count.number} was acknowledged,"
                f" and {shown} was read"
            )
