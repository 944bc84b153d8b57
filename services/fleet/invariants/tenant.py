"""Proving one tenant: its archive, its documents and their books, its chain, its blobs.

Every read enters the tenant: so one that moves meanwhile is followed to its new shard, and none is
judged by rows that a move has left behind or has not brought yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Final
from uuid import UUID

from global_db import archives as global_archives
from services.chain import heads
from services.chain.sources import TenantChain
from services.chain.verification import Verification
from services.chain.walk import Fault
from services.chain.walk import Finding as Broken
from services.failures import global_failures, tenant_failures
from services.fleet.archive_objects import key_of
from services.fleet.audit_lines import BrokenRow
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


@dataclass(slots=True)
class KnownArchives:
    """What the global database says of every archive."""

    data: Data
    states: Mapping[UUID, str] = field(default_factory=dict)

    async def refresh(self) -> None:
        """Ask it.

        Raises:
            DirectoryUnavailable.
        """
        with global_failures():
            async with self.data.global_db.read() as connection:
                found = await global_archives.all_archives(connection)
        self.states = {one.id: one.state for one in found}


@dataclass(frozen=True, slots=True)
class TenantProof:
    """Proves a client into a report. Without `blobs` neither blobs nor archived objects are looked
    at, without `keyring` no chain is."""

    data: Data
    scope: Scope
    client: UUID
    report: Report
    known: KnownArchives
    blobs: Blobs | None = None
    keyring: Keyring | None = None
    portion: Portion = USUAL

    async def run(self) -> None:
        """Prove what the scope asks for.

        Raises:
            ServiceError: something did not answer, so not all is proven.
            NotFound: there is no such client any more.
        """
        if self.scope.rules & {Rule.AUDITED, Rule.VERSIONED}:
            rows = replace(self, report=Report())
            await rows._rows()
            if not rows.report.holds:
                # A month may have begun to be archived between two reads: so it is looked at again.
                await self.known.refresh()
                rows = replace(self, report=Report())
                await rows._rows()
            self.report.take(rows.report)
        if Rule.STORED in self.scope.rules and self.blobs is not None:
            await self.blobs.prove(self.client, self.report)

    async def _rows(self) -> None:
        vouched = await self._months()
        await self._documents(vouched)
        if Rule.AUDITED in self.scope.rules and self.keyring is not None:
            await self._chain(self.keyring, vouched)

    def _add(self, finding: Finding) -> None:
        if finding.rule in self.scope.rules:
            self.report.add(finding)

    async def _months(self) -> frozenset[date]:
        """The months whose rows may be gone, as others than the shard alone say."""
        with tenant_failures():
            every = await self.data.tenants.read(self.client, archives.every)
        vouched = set()
        for archive in every:
            found = list(archived.judge(self.client, await self._archive_facts(archive)))
            for one in found:
                self._add(one)
            if not found:
                vouched.add(archive.month)
        self.report.archives += len(every)
        return frozenset(vouched)

    async def _archive_facts(self, archive: TenantArchive) -> ArchiveFacts:
        key = key_of(archive.month, archive.archive_id, self.client)
        state = self.known.states.get(archive.archive_id)
        stored = archive.stored
        if stored is None or archive.s3_key != key:
            return ArchiveFacts(archive, key, state)
        linked = await self._linked(stored, archive.month)
        facts = ArchiveFacts(archive, key, state, linked=linked)
        return facts if self.blobs is None else await self._object_facts(facts, self.blobs)

    async def _object_facts(self, facts: ArchiveFacts, blobs: Blobs) -> ArchiveFacts:
        found = await blobs.ask(facts.key)
        facts = replace(facts, asked=True, found=found)
        if found is None or not self.scope.reads_blobs:
            return facts
        try:
            return replace(facts, held=await blobs.archived(facts.key, self.report))
        except BrokenRow as error:
            return replace(facts, broken=str(error))

    async def _linked(self, stored: StoredObject, month: date) -> int:
        since, until = _beginning(month), _beginning(_after(month))

        async def work(tenant: TenantRead) -> int:
            return await archives.linked(tenant, stored, since, until)

        with tenant_failures():
            return await self.data.tenants.read(self.client, work)

    async def _documents(self, vouched: frozenset[date]) -> None:
        kept_since = max((_beginning(_after(month)) for month in vouched), default=_BEGINNING)
        after = evidence.FIRST
        while after != evidence.LAST:
            after, found = await self._range(after, kept_since)
            for facts in found:
                self.report.documents += facts.exists
                self.report.versions += facts.versions
                self.report.audit_rows += facts.changed + facts.purged
                for finding in documents.judge(self.client, facts):
                    self._add(finding)

    async def _range(self, after: UUID, kept_since: datetime) -> tuple[UUID, list[DocumentFacts]]:
        async def work(tenant: TenantRead) -> tuple[UUID, list[DocumentFacts]]:
            upto = await evidence.upto(tenant, after, self.portion)
            return upto, await evidence.facts(tenant, Range(after, upto), kept_since)

        with tenant_failures():
            return await self.data.tenants.read(
                self.client, work, TenantReading(self.scope.staleness)
            )

    async def _chain(self, keyring: Keyring, vouched: frozenset[date]) -> None:
        """On the primary: a replica may lack links that a signed head vouches for."""
        known = await heads.load(self.data, keyring, self.client)
        chain = _Vouched(self.data, self.client, vouched=vouched)
        found = await Verification(chain, known).run()
        self.report.links += found.checked
        for broken in found.findings:
            self._add(_told(self.client, broken))


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
