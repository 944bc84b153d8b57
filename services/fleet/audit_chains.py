"""Use cases of operators on audit logs and their chains: look, verify, export."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from global_db import audit_pages as global_pages
from global_db import clients
from global_db.audit_pages import GlobalAuditEntry, GlobalAuditFilter
from global_db.audit_walk import AuditFilter, AuditPosition, Walked
from services.audit import Event, record_global
from services.chain import heads
from services.chain.export import export
from services.chain.heads import GLOBAL_CHAIN
from services.chain.sources import chain_of
from services.chain.verification import Extent, Report, Verification
from services.errors import ServiceError
from services.failures import global_failures, tenant_failures
from services.fleet.audit_heads import sign_chain
from services.identity.principal import Origin
from services.keys.keyring import Keyring
from services.resources import Data
from shards import audit_pages
from shards.audit import AuditRow
from shards.tenants import TenantRead

__all__ = ["GLOBAL_CHAIN", "AuditFilter", "Copy", "Extent", "GlobalAuditFilter", "Verified"]

T = TypeVar("T")

_PAGE = 200
_FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Verified:
    """One chain's report; None when it could not be read, and why."""

    name: str
    client_id: UUID
    report: Report | None
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether all was looked at and nothing was found."""
        return self.report is not None and not self.report.findings


@dataclass(frozen=True, slots=True)
class Copy:
    """What is to be exported, into which empty folder, and an operator's words why."""

    client_id: UUID
    extent: Extent
    folder: Path
    reason: str | None


async def newest(data: Data, client_id: UUID, wanted: AuditFilter, limit: int) -> list[AuditRow]:
    """A tenant's newest entries."""

    async def page(before: AuditPosition | None, most: int) -> Walked[AuditRow]:
        async def work(tenant: TenantRead) -> Walked[AuditRow]:
            return await audit_pages.newest(tenant, wanted, before, most)

        with tenant_failures():
            return await data.tenants.read(client_id, work)

    with global_failures():
        await data.registry.refresh()
    return await _gathered(page, limit)


async def newest_global(
    data: Data, wanted: GlobalAuditFilter, limit: int
) -> list[GlobalAuditEntry]:
    """The global log's newest entries."""

    async def page(before: AuditPosition | None, most: int) -> Walked[GlobalAuditEntry]:
        with global_failures():
            async with data.global_db.read() as connection:
                return await global_pages.newest(connection, wanted, before, most)

    return await _gathered(page, limit)


async def _gathered(
    page: Callable[[AuditPosition | None, int], Awaitable[Walked[T]]], limit: int
) -> list[T]:
    """So many rows, of as many pages as it takes: one that is short need not be the last."""
    rows: list[T] = []
    before = None
    while True:
        walked = await page(before, min(limit - len(rows), _PAGE))
        rows += walked.rows
        before = walked.end
        if before is None or len(rows) >= limit:
            return rows


async def verify(
    data: Data, keyring: Keyring, name: str, client_id: UUID, extent: Extent
) -> Verified:
    """Verify one chain to its end; the nil id names the global log's."""
    try:
        known = await heads.load(data, keyring, client_id)
        report = await Verification(chain_of(data, client_id), known, extent).run()
    except ServiceError as error:
        return Verified(name, client_id, None, error.detail)
    return Verified(name, client_id, report)


async def verify_all(data: Data, keyring: Keyring, extent: Extent) -> AsyncIterator[Verified]:
    """Verify the global log, then every client's, oldest first: a deleted one's stays what it was.

    Raises:
        DirectoryUnavailable.
    """
    yield await verify(data, keyring, "global", GLOBAL_CHAIN, extent)
    after = _FIRST
    while True:
        with global_failures():
            async with data.global_db.read() as connection:
                page = await clients.every(connection, after, _PAGE)
        for client in page:
            name = client.code if client.deleted_at is None else f"{client.code} (deleted)"
            yield await verify(data, keyring, name, client.id, extent)
        if len(page) < _PAGE:
            return
        after = page[-1].id


async def export_chain(data: Data, keyring: Keyring, copy: Copy) -> dict[str, Any]:
    """Export a chain, and leave a note of that in the global log.

    Its newest link is signed first, so that nothing has to wait for the next head.

    Raises:
        Conflict.
    """
    client_id = copy.client_id
    await sign_chain(data, keyring, client_id)
    known = await heads.load(data, keyring, client_id)
    manifest = await export(chain_of(data, client_id), known, keyring, copy.extent, copy.folder)
    told = {name: manifest[name] for name in ("from_seq", "to_seq", "rows")}
    owner = None if client_id == GLOBAL_CHAIN else client_id
    with global_failures():
        async with data.global_db.write() as connection:
            event = Event("audit.export", "client", client_id, None, told)
            await record_global(connection, Origin(reason=copy.reason), event, owner)
    return manifest
