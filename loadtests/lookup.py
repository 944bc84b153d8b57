"""Behind a run: what is there of what it wrote. Asked by the API, as a tenant would ask."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx

from docshard_client import Docshard, DocshardError, Document
from docshard_client.parameters import Deleted
from loadtests.ledger import Entry, Found
from loadtests.plan import Plan
from loadtests.target import Target
from loadtests.tenants import MARK, Tenant

_CLOCKS_DIFFER = timedelta(minutes=1)
_AT_ONCE = 100
"""Operations of a batch."""


def look_up(
    target: Target, plan: Plan, entries: Sequence[Entry], since: float
) -> dict[int, list[Found]]:
    """The documents of a run, by tenant; tenants that cannot be read are left out."""
    found = {}
    for number in sorted({entry.tenant for entry in entries}):
        try:
            with _api(target, plan.tenants[number]) as api:
                found[number] = list(_found(api, plan, number, datetime.fromtimestamp(since, UTC)))
        except DocshardError:
            continue
    return found


def clean_up(target: Target, plan: Plan) -> None:
    """Delete the documents of a run. Raises DocshardError."""
    for tenant in plan.tenants:
        with _api(target, tenant) as api:
            there = [document.id for document in _documents(api, plan, tenant, None)]
            for start in range(0, len(there), _AT_ONCE):
                some = there[start : start + _AT_ONCE]
                api.batch_documents(tenant.client_id, [_deletion(one) for one in some])


@contextmanager
def _api(target: Target, tenant: Tenant) -> Iterator[Docshard]:
    with httpx.Client(timeout=30, trust_env=False) as http:
        yield Docshard(target.api, tenant.key, http=http)


def _found(api: Docshard, plan: Plan, number: int, since: datetime) -> Iterator[Found]:
    tenant = plan.tenants[number]
    changes = _changes(api, tenant, since)
    for document in _documents(api, plan, tenant, "include"):
        deleted = document.deleted_at is not None
        yield Found(
            document_id=str(document.id),
            mark=str(document.metadata.get("write")),
            fields=frozenset(document.metadata),
            deleted=deleted,
            versions=() if deleted else tuple(_versions(api, tenant, document)),
            changes=changes[document.id],
        )


def _documents(
    api: Docshard, plan: Plan, tenant: Tenant, deleted: Deleted | None
) -> Iterator[Document]:
    of_run = {MARK: plan.run_id}
    return iter(api.list_documents(tenant.client_id, metadata=of_run, deleted=deleted))


def _versions(api: Docshard, tenant: Tenant, document: Document) -> Iterator[tuple[int, str]]:
    if document.current_version:
        for version in api.list_versions(tenant.client_id, document.id):
            yield version.version_number, version.checksum_sha256


def _changes(api: Docshard, tenant: Tenant, since: datetime) -> Counter[UUID]:
    rows = api.list_audit_logs(
        tenant.client_id, action="document.update", from_=since - _CLOCKS_DIFFER
    )
    return Counter(row.entity_id for row in rows)


def _deletion(document_id: UUID) -> dict[str, str]:
    return {"operation": "delete", "document_id": str(document_id), "if_match": "*"}
