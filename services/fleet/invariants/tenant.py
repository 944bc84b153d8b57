"""Proving one tenant: its archive, its documents and their books, its chain, its blobs.

Every read enters the tenant: so one that moves meanwhile is followed to its new shard, and none is
judged by rows that a move has left behind or has not brought yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final
from uuid import UUID

from services.chain import heads
from services.chain.sources import TenantChain
from services.chain.verification import Verification
from services.chain.walk import Fault
from services.chain.walk import Finding as Broken
from services.failures import tenant_failures
from services.fleet.archive_objects import key_of
from services.fleet.invariants import archived, documents
from services.fleet.invariants.archived import ArchiveFacts
from services.fleet.invariants.blobs import Blobs
from services.fleet.invariants.findings import Finding, Report, Rule
from services.fleet.invariants.scope import Scope
from services.keys.keyring import Keyring
from services.resources import Data
from shards import archives, evidence
from shards.archives import StoredObject, TenantArchive
from shards.evidence import USUAL, DocumentFacts, Portion, Range
from shards.tenants import TenantRead, TenantReading

_BEGINNING: Final = datetime(1, 1, 2, tzinfo=UTC)
_CHAIN_MEANS: Final = "its audit log from there on is not to be trusted"
_CHAIN_DO: Final = "`docshard audit verify` tells all of it; keep the shard's backups"


@dataclass(frozen=True, slots=True)
class TenantProof:
    """Proves one client after the other into one report. Without `blobs` neither blobs nor archived
    months are looked at, without `keyring` no chain is. `known`: the state of every archive in the
    global database."""

    data: Data
    scope: Scope
    report: Report
    blobs: Blobs | None = None
    keyring: Keyring | None = None
    known: Mapping[UUID, str] | None = None
    portion: Portion = USUAL

    async def run(self, client: UUID) -> None:
        """Prove what the scope asks for.

        Raises:
            ServiceError: something did not answer, so not all is proven.
            NotFound: there is no such client any more.
        """
        if self.scope.rules & {Rule.AUDITED, Rule.VERSIONED}:
            vouched = await self._months(client)
            await self._documents(client, vouched)
            if Rule.AUDITED in self.scope.rules and self.keyring is not None:
                await self._chain(client, self.keyring, vouched)
        if Rule.STORED in self.scope.rules and self.blobs is not None:
            await self.blobs.prove(client)

    def _add(self, finding: Finding) -> None:
        if finding.rule in self.scope.rules:
            self.report.add(finding)

    async def _months(self, client: UUID) -> frozenset[date]:
        """The months whose rows may be gone, as others than the shard alone say."""
        with tenant_failures():
            every = await self.data.tenants.read(client, archives.every)
        vouched = set()
        for archive in every:
            found = list(archived.judge(client, await self._archive_facts(client, archive)))
            for one in found:
                self._add(one)
            if not found:
                vouched.add(archive.month)
        self.report.archives += len(every)
        return frozenset(vouched)

    async def _archive_facts(self, client: UUID, archive: TenantArchive) -> ArchiveFacts:
        key = key_of(archive.month, archive.archive_id, client)
        state = None if self.known is None else self.known.get(archive.archive_id, "unknown")
        stored = archive.stored
        if stored is None or archive.s3_key != key:
            return ArchiveFacts(archive, key, state)
        info = None if self.blobs is None else await self.blobs.object(key)
        linked = await self._linked(client, stored, archive.month)
        return ArchiveFacts(archive, key, state, self.blobs is not None, info, linked)

    async def _linked(self, client: UUID, stored: StoredObject, month: date) -> int:
        since, until = _beginning(month), _beginning(_after(month))

        async def work(tenant: TenantRead) -> int:
            return await archives.linked(tenant, stored, since, until)

        with tenant_failures():
            return await self.data.tenants.read(client, work)

    async def _documents(self, client: UUID, vouched: frozenset[date]) -> None:
        kept_since = max((_beginning(_after(month)) for month in vouched), default=_BEGINNING)
        after = evidence.FIRST
        while after != evidence.LAST:
            after, found = await self._range(client, after, kept_since)
            for facts in found:
                self.report.documents += facts.exists
                self.report.versions += facts.versions
                self.report.audit_rows += facts.changed + facts.purged
                for finding in documents.judge(client, facts):
                    self._add(finding)

    async def _range(
        self, client: UUID, after: UUID, kept_since: datetime
    ) -> tuple[UUID, list[DocumentFacts]]:
        async def work(tenant: TenantRead) -> tuple[UUID, list[DocumentFacts]]:
            upto = await evidence.upto(tenant, after, self.portion)
            return upto, await evidence.facts(tenant, Range(after, upto), kept_since)

        with tenant_failures():
            return await self.data.tenants.read(client, work, TenantReading(self.scope.staleness))

    async def _chain(self, client: UUID, keyring: Keyring, vouched: frozenset[date]) -> None:
        """On the primary: a replica may lack links that a signed head vouches for."""
        known = await heads.load(self.data, keyring, client)
        chain = _Vouched(self.data, client, vouched=vouched)
        found = await Verification(chain, known).run()
        self.report.links += found.checked
        for broken in found.findings:
            self._add(_told(client, broken))


@dataclass(frozen=True, slots=True)
class _Vouched(TenantChain):
    """A chain of which only the months that were vouched for may lack their rows."""

    vouched: frozenset[date] = frozenset()

    async def archived(self) -> frozenset[date]:
        """Those months."""
        return self.vouched


def _told(client: UUID, broken: Broken) -> Finding:
    what = f"its audit chain is {broken.fault.value} at seq {broken.seq}"
    if broken.fault is Fault.UNLINKED:
        means = "the row is not protected yet"
        return Finding(Rule.AUDITED, what, means, "see that `docshard worker` runs", client)
    return Finding(Rule.AUDITED, what, _CHAIN_MEANS, _CHAIN_DO, client)


def _after(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _beginning(month: date) -> datetime:
    return datetime.combine(month, time(), UTC)
