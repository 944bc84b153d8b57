"""Erasing a client: every row on every shard, every version of every object, its directory entry.

    begun     recorded; nobody restores or moves the client any more (the database refuses). Noted
              beside the backups, too, before anything goes: a directory that is restored from
              before this does not know of it
    shut      on every shard it is `gone`: who was writing has ended, nobody enters again
    counted   what there is, recorded once
    removed   objects, then rows, shard by shard
    erased    after a last look found nothing: the directory's rows go, and the certificate is
              there, in one transaction

Each step may be repeated; killed anywhere, the next run begins again at the first and finds most of
it done. Nothing is taken back after `begun`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from global_db import archives, audit_heads, erasures, leases, partitions
from global_db.clients import Client
from global_db.cluster import Cluster
from global_db.connection import WriteConnection
from global_db.erasures import Erasure
from services.audit import Event, record_global
from services.errors import Conflict, NotFound, Retained
from services.failures import global_failures, tenant_failures
from services.fleet.portability import certificate
from services.fleet.portability.layout import owned_prefixes
from services.fleet.portability.reach import QUIET, Progress, Reach
from services.fleet.portability.statement import Facts, statement
from services.fleet.tombstones import Tombstone
from services.identity.principal import Origin
from services.ids import new_id
from services.keys.material import Purpose
from shards import census, whole_tenant
from shards.census import Resident


@dataclass(frozen=True, slots=True)
class ErasureOrder:
    """Whom to erase, and an operator's words why.

    `addresses_live`: for how long after a client's deletion an address to upload to, that was given
    out before, may still be used. `backup_days`: how old backups get; None: nobody has said.
    """

    client_id: UUID
    reason: str
    addresses_live: timedelta
    backup_days: int | None


@dataclass(frozen=True, slots=True)
class Erased:
    """How it ended: with a certificate; or, all being removed, with the time from which on nothing
    can come back any more, to be run again then."""

    certificate: dict[str, Any] | None
    again_at: datetime | None


async def found_erasure(reach: Reach, client_id: UUID) -> Erasure | None:
    """The erasure of a client, begun or ended."""
    with global_failures():
        async with reach.data.global_db.read() as connection:
            return await erasures.find(connection, client_id)


async def erase_client(
    reach: Reach, order: ErasureOrder, progress: Progress = QUIET, now: datetime | None = None
) -> Erased:
    """Erase a deleted client, or go on with it; erased already, it answers the certificate again.

    Raises:
        NotFound: there is no deleted client of this id. Retained: documents have to be kept.
        Conflict: a move is not done with the client, or a month of audit logs is between a shard
        and the archive. ShardUnavailable: a shard does not answer, so nobody can say what it has.
    """
    known = await found_erasure(reach, order.client_id)
    if known is not None and known.certificate is not None:
        # A run that was killed behind the directory's commit has not told those beside the backups.
        await reach.tombstones.put(_stone(known, known.certificate))
        return Erased(known.certificate, None)
    return await _Erasing(reach, order, progress, now or datetime.now(UTC)).run(known)


def _stone(erasure: Erasure, signed: Mapping[str, Any] | None) -> Tombstone:
    return Tombstone(erasure.client_id, erasure.id, erasure.reason, erasure.deleted_at, signed)


@dataclass(slots=True)
class _Erasing:
    reach: Reach
    order: ErasureOrder
    progress: Progress
    now: datetime

    async def run(self, known: Erasure | None) -> Erased:
        with tenant_failures():
            erasure = known or await self._begin()
            await self.reach.tombstones.put(_stone(erasure, None))
            for cluster in self._clusters():
                await self._shut(cluster, erasure)
            self.progress.step("shut")
            if erasure.state == "begun":
                # Routers may hear of the deletion a lease later: holds may come until it is shut.
                await self._demand_none_kept()
                await self._count()
            await self._remove_objects()
            for cluster in self._clusters():
                async with self._unarchived(cluster):
                    await self._remove_rows(cluster)
            await self._demand_nothing_left()
            again_at = erasure.deleted_at + self.order.addresses_live
            if again_at > self.now:
                return Erased(None, again_at)
            return Erased(await self._end(), None)

    # Begin

    async def _begin(self) -> Erasure:
        await self._demand_none_kept()
        with global_failures():
            async with self.reach.data.global_db.write() as connection:
                client = await self._locked(connection)
                erasure = await erasures.begin(connection, new_id(), client, self.order.reason)
                # Not the client's name, or what it was: this row stays.
                told = {"erasure": str(erasure.id), "state": "begun"}
                await self._note(connection, Event("client.erase", "client", client.id, None, told))
        self.progress.step("begun")
        return erasure

    async def _demand_none_kept(self) -> None:
        for cluster in self._clusters():
            if kept := await whole_tenant.kept_documents(cluster, self.order.client_id):
                raise Retained(
                    f"{kept} documents are on legal hold or retained: they have to be kept."
                )

    async def _locked(self, connection: WriteConnection) -> Client:
        client = await erasures.lock_deleted(connection, self.order.client_id)
        if client is None:
            raise NotFound("There is no deleted client of this id.")
        move = await erasures.moving(connection, client.id)
        if move is not None:
            raise Conflict(f"Move {move} is not done with the client: `docshard move show {move}`.")
        return client

    # Shut, counted

    async def _shut(self, cluster: Cluster, erasure: Erasure) -> None:
        """Behind the tenant's lock: writers have ended, and none enters again (I3)."""
        found = await self._residence(cluster)
        while found is not None and found.state != "gone":
            await census.mark_gone(cluster, found, erasure.id)
            found = await self._residence(cluster)
        self.progress.step(f"{cluster.name} shut")

    async def _count(self) -> None:
        rows = {
            cluster.name: {
                name: count
                for name, count in (
                    await whole_tenant.row_counts(cluster, self.order.client_id)
                ).items()
                if count
            }
            for cluster in self._clusters()
        }
        contents, archive = [
            await self.reach.blobs.whole.count(prefix) for prefix in self._prefixes()
        ]
        found = {
            "rows": rows,
            "contents": {"versions": contents.versions, "bytes": contents.bytes},
            "archived_months": {"versions": archive.versions, "bytes": archive.bytes},
        }
        with global_failures():
            async with self.reach.data.global_db.write() as connection:
                await erasures.count(connection, self.order.client_id, found)
        self.progress.step("counted")

    # Removed

    async def _remove_objects(self) -> None:
        # The bucket before its copies: what is gone here is not copied again.
        for store in self.reach.buckets:
            for prefix in self._prefixes():
                await store.whole.remove(prefix)
                self.progress.step(f"objects {prefix}* removed")

    async def _remove_rows(self, cluster: Cluster) -> None:
        found = await self._residence(cluster)
        if await census.remove_rows(cluster, self.order.client_id, found) is None:
            raise Conflict(f"{cluster.name} has changed meanwhile: run it again.")
        self.progress.step(f"rows on {cluster.name} removed")

    @asynccontextmanager
    async def _unarchived(self, cluster: Cluster) -> AsyncIterator[None]:
        """While no month of the shard's log is out of the log and not yet stored.

        Such a month's rows are in no table that is erased here, and would be archived later. With
        the lease held, none is taken out; see `audit_months`.

        Raises:
            Conflict.
        """
        directory = self.reach.data.global_db
        async with leases.hold(directory, partitions.lease_name(cluster.name)) as lease:
            if lease is None:
                raise Conflict(f"Somebody changes partitions of {cluster.name}: run it again.")
            async with directory.read() as connection:
                living = await archives.living(connection, cluster.name)
            out = [one.month for one in living if one.state in ("detached", "stored")]
            if out:
                raise Conflict(
                    f"{out[0]:%Y-%m} of the audit log of {cluster.name} is on its way to the "
                    "archive: `docshard audit archive --run`, then run this again."
                )
            yield

    async def _demand_nothing_left(self) -> None:
        client_id = self.order.client_id
        for cluster in self._clusters():
            left = sum((await whole_tenant.row_counts(cluster, client_id)).values())
            found = await self._residence(cluster)
            if left or (found is not None and found.state != "gone"):
                raise Conflict(f"{cluster.name} has {left} rows again: run it again.")
        for store in self.reach.buckets:
            for prefix in self._prefixes():
                held = await store.whole.count(prefix)
                if held.versions or held.markers:
                    raise Conflict(f"There are objects {prefix}* again: run it again.")
        self.progress.step("nothing left")

    # Erased

    async def _end(self) -> dict[str, Any]:
        client_id = self.order.client_id
        key = self.reach.keyring.current(Purpose.AUDIT_HEADS)
        with global_failures():
            async with self.reach.data.global_db.read() as connection:
                head = (await audit_heads.newest(connection, [client_id])).get(client_id)
                erasure = await erasures.find(connection, client_id)
            if erasure is None:
                raise NotFound("The erasure is gone.")
            async with self.reach.data.global_db.write() as connection:
                directory = await erasures.remove_held(connection, client_id)
                shards = [cluster.name for cluster in self._clusters()]
                facts = Facts(erasure, directory, shards, head, self.now, self.order.backup_days)
                signed = certificate.sign(key, statement(facts))
                if await erasures.end(connection, client_id, signed, self.now) is None:
                    raise Conflict("Another run of this erasure was faster: run it again.")
                told = {"erasure": str(erasure.id), "state": "erased"}
                await self._note(connection, Event("client.erase", "client", client_id, None, told))
        self.reach.data.placements.forget(client_id)
        await self.reach.tombstones.put(_stone(erasure, signed))
        self.progress.step("erased")
        return signed

    # Shared

    def _clusters(self) -> list[Cluster]:
        registry = self.reach.mover.registry
        return [registry.cluster(shard.name) for shard in registry.shards()]

    def _prefixes(self) -> tuple[str, str]:
        return owned_prefixes(self.order.client_id)

    async def _residence(self, cluster: Cluster) -> Resident | None:
        async with cluster.read() as connection:
            return await whole_tenant.residence(connection, self.order.client_id)

    async def _note(self, connection: WriteConnection, event: Event) -> None:
        await record_global(
            connection, Origin(reason=self.order.reason), event, self.order.client_id
        )
