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
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from global_db import placements
from global_db.placements import Placed
from services.blobs.store import BlobStore
from services.errors import NotFound, ServiceError, TenantMoving
from services.failures import global_failures
from services.fleet.invariants.blobs import Blobs
from services.fleet.invariants.findings import Finding, Report, Rule
from services.fleet.invariants.scope import Drawing, Scope
from services.fleet.invariants.tenant import KnownArchives, TenantProof
from services.fleet.placement_doctor import GRACE_SECONDS, Misplaced
from services.fleet.placement_examination import Extent, examine
from services.keys.keyring import Keyring
from services.resources import Data

__all__ = ["Finding", "Report", "Rule", "Scope", "Sources", "prove"]

_PAGE: Final = 1_000
_TENANTS_OF_SHARD: Final = 2
_MOST_AGAIN: Final = 1_000
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
    # A move stood in the way of some: it has gone on since.
    await proof.tenants(proof.again, told or _nothing, last=True)
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
    known = KnownArchives(data)
    await known.refresh()
    blobs = None
    if sources.blobs is not None:
        blobs = Blobs(data, sources.blobs, scope.reads_blobs)
    tenant = TenantProof(data, scope, _FIRST, Report(), known, blobs, sources.keyring)
    return _Proof(sources, scope, report, tenant)


@dataclass(frozen=True, slots=True)
class _Proof:
    sources: Sources
    scope: Scope
    report: Report
    tenant: TenantProof
    again: list[Placed] = field(default_factory=list)
    """Tenants that stood at a fence for too long."""
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

    async def tenants(self, page: Sequence[Placed], told: Told, *, last: bool = False) -> None:
        """Prove each of them, a few of a shard at a time."""

        async def lane(waiting: Iterator[Placed]) -> None:
            for placed in waiting:
                await self._one(placed, last)
                told(self.report)

        shards = {placed.shard for placed in page}
        queues = [iter([one for one in page if one.shard == shard]) for shard in shards]
        await asyncio.gather(*(lane(queue) for queue in queues for _ in range(_TENANTS_OF_SHARD)))

    async def _one(self, placed: Placed, last: bool) -> None:
        tenant = replace(self.tenant, client=placed.client_id, report=Report(tenants=1))
        try:
            await tenant.run()
        except NotFound:
            return
        except ServiceError as error:
            moving = isinstance(error, TenantMoving) and not last
            if moving and len(self.again) < _MOST_AGAIN:
                self.again.append(placed)
                return
            tenant.report.tenants = 0
            self.unseen[placed.shard, error.detail] += 1
        self.report.take(tenant.report)

    def unverified(self) -> Iterator[Finding]:
        """What did not answer."""
        for (shard, why), count in sorted(self.unseen.items()):
            yield _unseen(shard, f"{count} tenants were not looked at, or not to their end: {why}")

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
        self.report.more += examined.more
        for shard in sorted(examined.unseen):
            self.report.add(_unseen(shard, "its tenants were not compared with the directory"))


def _unseen(shard: str, what: str) -> Finding:
    return Finding(Rule.UNVERIFIED, what, "nothing is proven of them", _AGAIN, subject=shard)


def _misplaced(one: Misplaced) -> Finding:
    means = "directory and data disagree"
    return Finding(Rule.PLACED, one.what, means, one.advice, one.client, subject=one.shard)
