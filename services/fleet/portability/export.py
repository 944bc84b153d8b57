"""Exporting a client: all its rows of one instant, every blob that they name, the proof of its log.

Rows come out of one snapshot, which is given up before the first blob is read: a snapshot that is
held for hours keeps a primary from tidying up. Rows and blobs agree nevertheless, since blobs never
change: a key is made for one upload and is written once, its digest stands in the row, and what is
purged stays in the store for as long as a backup could bring its row back, which is weeks (I8).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from global_db import archives
from global_db.audit_heads import Head
from global_db.chain import Tip
from global_db.clients import Client
from services.audit import Event, record_global
from services.chain import heads as chain_heads
from services.chain.hashing import instant
from services.chain.heads import Heads
from services.errors import Conflict, KeysUnavailable, StorageUnavailable
from services.failures import global_failures
from services.fleet.portability.at_once import AtOnce
from services.fleet.portability.audit_proof import AuditProof, begun_archives, prove
from services.fleet.portability.folder import ExportFolder
from services.fleet.portability.layout import (
    DIRECTORY,
    TABLES,
    Manifest,
    NamedBlob,
    Part,
    SignedHead,
)
from services.fleet.portability.people import KEYS, PEOPLE, key_lines, people_lines
from services.fleet.portability.reach import QUIET, Progress, Reach
from services.fleet.portability.rows import named_blobs
from services.fleet.portability.source import LIVING, Source
from services.identity.principal import Origin
from services.keys.fields import Fields, SealBroken
from services.keys.material import Purpose
from shards import row_export
from shards.row_export import Extent, RowSnapshot


@dataclass(frozen=True, slots=True)
class Order:
    """Whom to export, where to, and an operator's words why."""

    client: Client
    folder: Path
    reason: str | None = None
    source: Source = LIVING


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written; `faults` of the audit log's chain stood in the database already."""

    manifest: Manifest
    manifest_sha256: str
    faults: tuple[str, ...]


async def export_client(reach: Reach, order: Order, progress: Progress = QUIET) -> Exported:
    """Export a client, living or deleted; run again after an interruption, it goes on.

    Raises:
        Conflict: the folder is not empty, or a month of the log is on its way to the archive.
        StorageUnavailable: a blob is missing or is not what was stored. NotFound, TenantMoving,
        ShardUnavailable, DirectoryUnavailable, KeysUnavailable.
    """
    return await _Exporting(reach, order, progress).run()


@dataclass(slots=True)
class _Exporting:
    reach: Reach
    order: Order
    progress: Progress

    async def run(self) -> Exported:
        client, source = self.order.client, self.order.source
        folder = ExportFolder(self.order.folder, client.id)
        # First: what leaves and is given up halfway has left.
        await self._record({"state": "begun"})
        known = await source.heads(self.reach, client.id, self.progress)
        manifest, extent = await self._rows(folder)
        await self._demand_whole_log()
        directory = await self._directory(folder)
        await self._blobs(folder, extent)
        heads, proof = await self._proof(known)
        manifest = replace(
            manifest,
            directory=directory,
            blobs=folder.blobs,
            blob_bytes=folder.blob_bytes,
            audit_seq=proof.seq,
            heads=heads,
            exported_at=instant(datetime.now(UTC)),
        )
        digest = folder.finish(manifest)
        told = {"state": "done", "manifest_sha256": digest, "snapshot_at": manifest.snapshot_at}
        await self._record({**told, "rows": manifest.rows, "blobs": manifest.blobs})
        return Exported(manifest, digest, tuple(proof.faults))

    async def _rows(self, folder: ExportFolder) -> tuple[Manifest, Extent]:
        client = self.order.client
        async with self.order.source.snapshot(self.reach, client.id) as (shard, snapshot):
            tables = [await self._table(folder, snapshot, table) for table in row_export.TABLES]
            extent = await snapshot.extent()
            manifest = Manifest(
                client=_client_image(client),
                exported_at="",
                snapshot_at=instant(snapshot.taken_at),
                shard=shard,
                epoch=snapshot.epoch,
                schema_revision=snapshot.revision,
                tables=tuple(tables),
                directory=(),
                blobs=0,
                blob_bytes=0,
                audit_seq=0,
                heads=(),
            )
        return manifest, extent

    async def _table(
        self, folder: ExportFolder, snapshot: RowSnapshot, table: row_export.TenantTable
    ) -> Part:
        columns = row_export.columns_of(table)
        return await self._part(folder, TABLES, table.name, columns, snapshot.lines(table))

    async def _part(
        self,
        folder: ExportFolder,
        kind: str,
        name: str,
        columns: Sequence[str],
        pages: AsyncIterator[list[str]],
    ) -> Part:
        with folder.part(kind, name, columns) as writer:
            async for lines in pages:
                writer.add(lines)
        part = writer.part()
        self.progress.step(f"{part.file}: {part.rows} rows")
        return part

    async def _demand_whole_log(self) -> None:
        """Between leaving the log and being stored, a month's rows are in neither.

        Raises:
            Conflict.
        """
        begun = begun_archives(self.order.folder)
        if not begun:
            return
        with global_failures():
            async with self.reach.data.global_db.read() as connection:
                states = {one.id: one.state for one in await archives.all_archives(connection)}
        away = sorted(month for id_, month in begun if states.get(id_) == "detached")
        if away:
            raise Conflict(
                f"The audit log's month {away[0]:%Y-%m} is on its way to the archive: "
                "`docshard audit archive --run`, then export again."
            )

    async def _directory(self, folder: ExportFolder) -> tuple[Part, ...]:
        client_id, db = self.order.client.id, self.reach.data.global_db
        people = people_lines(db, Fields(self.reach.keyring), client_id)
        try:
            with global_failures():
                return (
                    await self._part(folder, DIRECTORY, "people", PEOPLE, people),
                    await self._part(folder, DIRECTORY, "api_keys", KEYS, key_lines(db, client_id)),
                )
        except SealBroken as error:
            raise Conflict(f"An address of the client's people cannot be read: {error}.") from error

    async def _blobs(self, folder: ExportFolder, extent: Extent) -> None:
        async with AtOnce(lambda: self._moved(folder, extent)) as fetching:
            for blob in named_blobs(self.order.folder):
                if not fetching.runs(blob.sha256) and not folder.take_kept(blob):
                    await fetching.start(blob.sha256, self._fetch(folder, blob))
        self.progress.step(f"blobs: {folder.blobs}, {folder.blob_bytes} bytes")

    async def _fetch(self, folder: ExportFolder, blob: NamedBlob) -> None:
        fault: StorageUnavailable | None = None
        async with aclosing(self.order.source.places(self.reach, blob)) as places:
            async for reader in places:
                try:
                    await folder.add(blob, aiter(reader))
                except StorageUnavailable as error:
                    fault = error
                else:
                    return
        raise fault or StorageUnavailable(
            f"The object {blob.s3_key} is missing: `docshard doctor --blobs`."
        )

    def _moved(self, folder: ExportFolder, extent: Extent) -> None:
        self.progress.moved(folder.blob_bytes, extent.bytes)

    async def _proof(self, known: Heads) -> tuple[tuple[SignedHead, ...], AuditProof]:
        """The heads that vouch for the log, and what its rows and links say.

        The end is signed here, when all before it is sound: what was truncated or rewritten is
        exported as it is, and never vouched for.
        """
        client_id = self.order.client.id
        heads = self.order.source.vouching(self.order.folder, known.by_seq)
        proof = await asyncio.to_thread(prove, self.order.folder, client_id, heads)
        proof.faults += [f"audit chain at seq {one.seq}: {one.fault.value}" for one in known.forged]
        if proof.seq and not proof.faults and proof.seq not in heads:
            key = self.reach.keyring.current(Purpose.AUDIT_HEADS)
            tip = Tip(proof.seq, proof.chain_hash)
            heads[proof.seq] = chain_heads.sign(key, client_id, tip, datetime.now(UTC))
        self.progress.step(f"audit log: {proof.rows} rows proven, chain to seq {proof.seq}")
        return tuple([await self._shown(heads[seq]) for seq in sorted(heads)]), proof

    async def _shown(self, head: Head) -> SignedHead:
        public = await chain_heads.public_key(self.reach.keyring, head.kid)
        if public is None:
            raise KeysUnavailable("The key that signed a head is not at hand.")
        return SignedHead(
            seq=head.seq,
            chain_hash=head.chain_hash.hex(),
            signed_at=instant(head.signed_at),
            kid=str(head.kid),
            signature=head.signature.hex(),
            public_key=public.hex(),
        )

    async def _record(self, told: dict[str, Any]) -> None:
        client_id = self.order.client.id
        event = Event("client.export", "client", client_id, None, told)
        with global_failures():
            async with self.reach.data.global_db.write() as connection:
                await record_global(connection, Origin(reason=self.order.reason), event, client_id)


def _client_image(client: Client) -> dict[str, Any]:
    shown = asdict(client)
    for name in ("shard", "epoch", "pinned"):
        del shown[name]
    return {name: _plain(value) for name, value in shown.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    return str(value) if isinstance(value, UUID) else value
