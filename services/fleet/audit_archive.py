"""Months of audit logs that the policy no longer keeps: checked, detached, stored, dropped.

For each cluster and month one row of the global database says how far it is, and is written before
the step it names. Every step may be repeated, so whoever is killed anywhere is followed by the next
run, which goes on from there:

- **planned**: every row of the month is checked against its hash and the chain while it is still
  attached. What does not fit, or is not linked yet, stops the archive: the month stays as it is,
  and the doctor says why. Each tenant's own list of archives names its object to be: rows of the
  months that stand there may be gone. Then the month is detached, unless a move of the shard is
  under way.
- **detached**: one object for each tenant that has rows in it. Its list says `stored_at` when it
  was read again and found right. That list is a tenant's table: it moves with the tenant, whose
  objects stay where they are.
- **stored**: all objects are there. The table is dropped, by a function that refuses when it has
  other than so many rows.

A document's legal hold does not stop this: nothing of the log is destroyed, it changes its place.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from uuid import UUID

from global_db import archives as global_archives
from global_db import leases, partitions
from global_db.archives import Archive, ArchivedRow
from global_db.cluster import Cluster
from global_db.partitions import MonthNotReady
from services.audit import Event, record_global
from services.committed import read, write
from services.errors import NotFound
from services.failures import global_failures
from services.fleet.archive_objects import PAGE, ArchiveObject, Place
from services.fleet.audit_lines import BrokenRow
from services.fleet.audit_months import patiently, unmoving
from services.identity.principal import Origin
from services.ids import new_id
from services.resources import Resources
from shards import archives
from shards.archives import StoredObject

_log = logging.getLogger(__name__)
_FIRST = UUID(int=0)


class Stopped(Exception):
    """The archive goes no further now; the message says why, for operators."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What an archive holds."""

    rows: int = 0
    objects: int = 0
    size: int = 0

    def with_object(self, found: StoredObject) -> Totals:
        """And one object more."""
        return Totals(self.rows + found.rows, self.objects + 1, self.size + found.size)


def due(months: Sequence[date], today: date, keep_months: int) -> list[date]:
    """Which months the policy no longer keeps: it keeps this one and so many before, or all (0)."""
    oldest = today.year * 12 + today.month - 1 - keep_months
    kept = date(max(oldest // 12, 1), oldest % 12 + 1, 1)
    return [month for month in months if keep_months and month < kept]


def _event(archive: Archive) -> Event:
    """What the audit log itself says of a month that leaves it."""
    after = {
        "cluster": archive.cluster,
        "month": f"{archive.month:%Y-%m}",
        **{name: getattr(archive, name) for name in ("state", "rows", "objects", "size")},
    }
    return Event("audit.archive", "audit_archive", archive.id, None, after)


@dataclass(frozen=True, slots=True)
class Archiving:
    """Archives months of one cluster. `told` hears of every step, when it has been made."""

    resources: Resources
    cluster: Cluster
    told: Callable[[str], None] = _log.debug
    reason: str | None = None

    async def run(self, today: date, keep_months: int) -> int:
        """Go on with what was begun, then archive what is due; answers how many months ended.

        Raises:
            ClusterError, ServiceError: run again.
        """
        lease_name = f"audit archive of {self.cluster.name}"
        async with leases.hold(self._global_db, lease_name) as lease:
            if lease is None:
                return 0
            await self._begin_due(today, keep_months)
            async with self._global_db.read() as connection:
                begun = await global_archives.living(connection, self.cluster.name)
            return sum([await self._finished(archive) for archive in begun])

    @property
    def _global_db(self) -> Cluster:
        return self.resources.data.global_db

    async def _begin_due(self, today: date, keep_months: int) -> None:
        async with self.cluster.read() as connection:
            months = await partitions.months(connection)
        async with self._global_db.read() as connection:
            begun = {
                archive.month
                for archive in await global_archives.living(connection, self.cluster.name)
            }
        for month in due([one.month for one in months if one.attached], today, keep_months):
            if month not in begun:
                with global_failures():
                    async with self._global_db.write() as connection:
                        await global_archives.begin(connection, new_id(), self.cluster.name, month)
                self.told(f"{month:%Y-%m} planned")

    async def _finished(self, archive: Archive) -> bool:
        """Take an archive as far as it goes."""
        try:
            while archive.state != "dropped":
                archive = await self._next(archive)
        except (Stopped, BrokenRow, MonthNotReady, NotFound) as error:
            _log.warning("%s of %s: %s", archive.month, self.cluster.name, error)
            async with self._global_db.write() as connection:
                await global_archives.report(connection, archive.id, str(error))
            return False
        return True

    async def _next(self, archive: Archive) -> Archive:
        match archive.state:
            case "planned":
                await self._check(archive)
                await self._detach(archive)
                return await self._advance(archive, "detached")
            case "detached":
                return await self._advance(archive, "stored", await self._store(archive))
            case _:
                await partitions.drop(self.cluster, archive.month, archive.rows or 0)
                self.told(f"{archive.month:%Y-%m} removed")
                return await self._advance(archive, "dropped")

    async def _advance(self, archive: Archive, state: str, totals: Totals | None = None) -> Archive:
        known = None if totals is None else (totals.rows, totals.objects, totals.size)
        with global_failures():
            async with self._global_db.write() as connection:
                advanced = await global_archives.advance(connection, archive, state, known)
                if advanced is not None and state in ("detached", "dropped"):
                    await record_global(connection, Origin(reason=self.reason), _event(advanced))
        if advanced is None:
            raise Stopped("another process works on it")
        self.told(f"{archive.month:%Y-%m} {state}")
        return advanced

    # Planned

    async def _check(self, archive: Archive) -> None:
        rows = 0
        async for one in self._objects(archive):
            rows += await one.check()
            # Before the rows may be gone, their tenant knows that they may be.
            await self._begin(one)
            self.told(f"{one.key} begun")
        self.told(f"{archive.month:%Y-%m} checked: {rows} rows")

    async def _detach(self, archive: Archive) -> None:
        async with unmoving(self.resources.data, self.cluster) as held:
            if not held:
                raise Stopped("a move of this shard is under way")
            await patiently(partial(partitions.detach, self.cluster, archive.month))
        self.told(f"{archive.month:%Y-%m} taken out")

    # Detached

    async def _store(self, archive: Archive) -> Totals:
        totals = Totals()
        async for one in self._objects(archive):
            totals = totals.with_object(await self._stored(one))
        return totals

    async def _stored(self, one: ArchiveObject) -> StoredObject:
        if one.client_id is None:
            return await one.write(self.resources.blobs)
        archive, client_id = one.archive, one.client_id
        known = await read(self.resources, client_id, partial(archives.find, archive_id=archive.id))
        if known is not None and known.stored is not None:
            return known.stored
        await self._begin(one)
        found = await one.write(self.resources.blobs)
        self.told(f"{one.key} written")
        record = partial(archives.stored, archive_id=archive.id, found=found)
        await write(self.resources, client_id, record)
        self.told(f"{one.key} recorded")
        return found

    async def _begin(self, one: ArchiveObject) -> None:
        """Name the object in its tenant's own list; naming it again changes nothing."""
        archive, client_id = one.archive, one.client_id
        if client_id is not None:
            begin = partial(
                archives.begin, archive_id=archive.id, month=archive.month, s3_key=one.key
            )
            await write(self.resources, client_id, begin)

    # Rows

    async def _objects(self, archive: Archive) -> AsyncIterator[ArchiveObject]:
        """The objects of the archive, one after the other."""
        if self.cluster is self._global_db:
            yield ArchiveObject(archive, None, partial(self._global_page, archive.month))
            return
        client_id = _FIRST
        while (following := await self._next_tenant(archive.month, client_id)) is not None:
            client_id = following
            pages = partial(self._page, archive.month, client_id)
            yield ArchiveObject(archive, client_id, pages)

    async def _next_tenant(self, month: date, after: UUID) -> UUID | None:
        async with self.cluster.read() as connection:
            return await archives.next_tenant(connection, month, after)

    async def _page(self, month: date, client_id: UUID, after: Place | None) -> list[ArchivedRow]:
        async with self.cluster.read() as connection:
            return await archives.page(connection, month, client_id, after, PAGE)

    async def _global_page(self, month: date, after: Place | None) -> list[ArchivedRow]:
        async with self.cluster.read() as connection:
            return await global_archives.page(connection, month, after, PAGE)
