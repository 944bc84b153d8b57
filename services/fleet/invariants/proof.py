"""Proving I5 to I8 over a living fleet: the one function that operators and tests call.

The directory leads, page by page: nobody is missed because he moves from a shard that was not
looked at yet to one that was. Few tenants of a shard are looked at side by side, all shards at
once; a shard that does not answer is told of once, and the others go on.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from global_db import archives, placements
from global_db.placements import Placed
from services.blobs.store import BlobStore
from services.errors import NotFound, ServiceError
from services.failures import global_failures
from services.fleet.invariants.blobs import Blobs
from services.fleet.invariants.findings import Finding, Report, Rule
from services.fleet.invariants.scope import Drawing, Scope
from services.fleet.invariants.tenant import TenantProof
from services.fleet.placement_doctor import GRACE_SECONDS, Misplaced
from services.fleet.placement_examination import Extent, examine
from services.keys.keyring import Keyring
from services.resources import Data

__all__ = ["Finding", "Report", "Rule", "Scope", "Sources", "prove"]

_PAGE: Final = 1_000
_TENANTS_OF_SHARD: Final = 2
_FIRST: Final = UUID(int=0)
_AGAIN: Final = "see that its servers and the object store answer, and prove it again"

Told = Callable[[Report], None]
"""Hears of the report after each tenant."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where facts come from: the databases as the administrator; and as the mover, who alone sees
    rows of tenants where they do not live (I6); the object store (I8, and archived months); and
    the keys of signed heads (the chains of I5). What is None is not looked at."""

    data: Data
    mover: Data | None = None
    blobs: BlobStore | None = None
    keyring: Keyring | None = None


async def prove(sources: Sources, scope: Scope | None = None, told: Told | None = None) -> Report:
    """Look at what the scope names, while the fleet works; changes nothing.

    Raises:
        DirectoryUnavailable.
    """
    begun, report = time.monotonic(), Report()
    proof = await _begun(sources, scope or Scope(), report)
    async for page in proof.pages():
        await proof.tenants(page, told or _nothing)
    for finding in proof.unverified():
        report.add(finding)
    if Rule.PLACED in proof.scope.rules:
        await proof.placements()
    report.seconds = time.monotonic() - begun
    return report


def _nothing(_: Report) -> None:
    """Nobody wants to hear."""


async def _begun(sources: Sources, scope: Scope, report: Report) -> _Proof:
    data = sources.data
    with global_failures():
        await data.registry.refresh()
        async with data.global_db.read() as connection:
            known = {one.id: one.state for one in await archives.all_archives(connection)}
    blobs = None
    if sources.blobs is not None:
        blobs = Blobs(data, sources.blobs, report, scope.reads_blobs)
    tenant = TenantProof(data, scope, report, blobs, sources.keyring, known)
    return _Proof(sources, scope, report, tenant)


@dataclass(frozen=True, slots=True)
class _Proof:
    sources: Sources
    scope: Scope
    report: Report
    tenant: TenantProof
    unseen: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many tenants of a shard could not be looked at, and why."""

    async def pages(self) -> AsyncIterator[Sequence[Placed]]:
        """The tenants of the scope, as the directory has them."""
        drawing = Drawing(self.scope.sample, random.Random())  # noqa: S311 - a sample, no secret
        async for page in self._directory():
            for placed in page:
                if self.scope.takes(placed):
                    drawing.offer(placed)
            if self.scope.sample.count is None:
                yield drawing.taken()
        yield drawing.taken()

    async def _directory(self) -> AsyncIterator[list[Placed]]:
        client = self.scope.client
        after, limit = (_FIRST, _PAGE) if client is None else (UUID(int=client.int - 1), 1)
        while True:
            with global_failures():
                async with self.sources.data.global_db.read() as connection:
                    page = await placements.page(connection, after, limit)
            yield page
            if len(page) < _PAGE:
                return
            after = page[-1].client_id

    async def tenants(self, page: Sequence[Placed], told: Told) -> None:
        """Prove each of them, a few of a shard at a time."""

        async def lane(waiting: Iterator[Placed]) -> None:
            for placed in waiting:
                await self._one(placed)
                told(self.report)

        shards = {placed.shard for placed in page}
        queues = [iter([one for one in page if one.shard == shard]) for shard in shards]
        await asyncio.gather(*(lane(queue) for queue in queues for _ in range(_TENANTS_OF_SHARD)))

    async def _one(self, placed: Placed) -> None:
        try:
            await self.tenant.run(placed.client_id)
        except NotFound:
            return
        except ServiceError as error:
            self.unseen[placed.shard, error.detail] += 1
            return
        self.report.tenants += 1

    def unverified(self) -> Iterator[Finding]:
        """What did not answer."""
        for (shard, why), count in sorted(self.unseen.items()):
            what = f"{count} tenants were not looked at, or not to their end: {why}"
            yield Finding(Rule.UNVERIFIED, what, "nothing is proven of them", _AGAIN, subject=shard)

    async def placements(self) -> None:
        """Compare the directory with every shard (I6)."""
        mover = self.sources.mover
        if mover is None:
            return
        grace = 0.0 if self.scope.settled else GRACE_SECONDS
        examined = await examine(mover, Extent(self.scope.client, grace_seconds=grace))
        for one in examined.found:
            if self.scope.shard in (None, one.shard):
                self.report.add(_misplaced(one))


def _misplaced(one: Misplaced) -> Finding:
    means = "directory and data disagree"
    return Finding(Rule.PLACED, one.what, means, one.advice, one.client, subject=one.shard)
