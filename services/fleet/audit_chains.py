"""Use cases of operators on audit logs and their chains: look, verify, export."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from global_db import audit as global_audit
from global_db.audit import GlobalAuditEntry, GlobalAuditFilter
from global_db.clients import ClientFilter
from services.audit import Event, record_global
from services.chain import heads
from services.chain.export import export
from services.chain.heads import GLOBAL_CHAIN
from services.chain.sources import chain_of
from services.chain.verification import Extent, Report, Verification
from services.errors import ServiceError
from services.failures import global_failures, tenant_failures
from services.fleet.audit_heads import sign_chain
from services.fleet.shards import list_clients
from services.identity.principal import Origin
from services.keys.keyring import Keyring
from services.resources import Data
from shards import audit
from shards.audit import AuditFilter, AuditRow
from shards.tenants import TenantRead

__all__ = ["GLOBAL_CHAIN", "AuditFilter", "Copy", "Extent", "GlobalAuditFilter", "Verified"]

_PAGE = 200


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

    async def work(tenant: TenantRead) -> list[AuditRow]:
        return await audit.newest(tenant, wanted, None, limit)

    with global_failures():
        await data.registry.refresh()
    with tenant_failures():
        return await data.tenants.read(client_id, work)


async def newest_global(
    data: Data, wanted: GlobalAuditFilter, limit: int
) -> list[GlobalAuditEntry]:
    """The global log's newest entries."""
    with global_failures():
        async with data.global_db.read() as connection:
            return await global_audit.newest(connection, wanted, None, limit)


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
    """Verify the global log, then every living client, newest first."""
    yield await verify(data, keyring, "global", GLOBAL_CHAIN, extent)
    before = None
    while True:
        page = await list_clients(data, ClientFilter(), before, _PAGE)
        for client in page:
            yield await verify(data, keyring, client.code, client.id, extent)
        if len(page) < _PAGE:
            return
        before = page[-1].id


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
