"""Importing a client: the same ids, the same rows, the same bytes, in another fleet.

The client keeps its id: every row, every audit hash and every key of a blob has it. So a fleet that
knows the id, be it as a tombstone, refuses it.

Whatever is made is recorded before: the client stands in the directory, suspended, and its shard
says `importing`, before the first row is written. Interrupted, it is run again; given up, the
client is deleted and erased like any other.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

from global_db import client_arrivals, directory, shard_catalog
from global_db.client_arrivals import Erased
from global_db.clients import Client
from global_db.clients import CodeTaken as CodeTakenInDatabase
from services.audit import Event, record_global
from services.blobs.store import Expected
from services.errors import CodeTaken, Conflict, ShardUnavailable
from services.failures import global_failures, tenant_failures
from services.fleet.clients import living_or_deleted
from services.fleet.portability.at_once import AtOnce
from services.fleet.portability.layout import Manifest, NamedBlob, blob_file
from services.fleet.portability.reach import QUIET, Progress, Reach
from services.fleet.portability.rows import named_blobs
from services.fleet.portability.verify import Checked, check
from services.identity.principal import Origin
from shards import census, row_export, row_import, whole_tenant
from shards.census import Resident
from shards.registry import NoShards
from shards.residency import NotResident
from shards.row_import import Arrival, StrangeRow

_IMPORTS: Final = UUID("1d5a6c3e-6c0e-5f0b-9a51-696d706f7274")
_BATCH_ROWS: Final = 500
_BATCH_BYTES: Final = 1 << 20
_CHUNK: Final = 1 << 18
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """What to import; under which code, the exported one unless told; an operator's words why."""

    folder: Path
    code: str | None = None
    reason: str | None = None


async def import_client(reach: Reach, order: ImportOrder, progress: Progress = QUIET) -> Client:
    """Import a client; it is suspended then. Run again after an interruption, it goes on.

    Raises:
        NotAnExport. Conflict: the export is not sound, or of a newer schema, or this fleet knows
        the client. CodeTaken, ShardUnavailable, StorageUnavailable, DirectoryUnavailable.
    """
    checked = await asyncio.to_thread(check, order.folder)
    _demand_sound(checked)
    progress.step("the export is sound")
    return await _Importing(reach, order, checked, progress).run()


def import_id_of(checked: Checked) -> UUID:
    """The same export has the same id: what it left unfinished is known by it."""
    return uuid5(_IMPORTS, checked.manifest_sha256)


def _demand_sound(checked: Checked) -> None:
    if checked.faults:
        told = "; ".join(checked.faults[:_SHOWN])
        raise Conflict(f"The export is not sound, {len(checked.faults)} faults: {told}.")
    known = {table.name: set(row_export.columns_of(table)) for table in row_export.TABLES}
    for part in checked.manifest.tables:
        if not set(part.columns) <= known.get(part.name, set()):
            raise Conflict(f"The export is of a newer schema: {part.name} is unknown, or has more.")


@dataclass(slots=True)
class _Importing:
    reach: Reach
    order: ImportOrder
    checked: Checked
    progress: Progress

    @property
    def manifest(self) -> Manifest:
        return self.checked.manifest

    async def run(self) -> Client:
        shard, resident = await self._admitted()
        client_id = self.manifest.client_id
        if resident.state == "importing":
            arrival = Arrival(client_id, import_id_of(self.checked), resident.epoch)
            await self._fill(shard, arrival, resident)
        self.reach.data.placements.forget(client_id)
        return await living_or_deleted(self.reach.data, str(client_id))

    async def _fill(self, shard: str, arrival: Arrival, resident: Resident) -> None:
        cluster = self.reach.mover.registry.cluster(shard)
        with tenant_failures():
            if await census.remove_rows(cluster, arrival.client_id, resident) is None:
                raise Conflict("Another import of the client has begun.")
            await self._rows(shard, arrival)
        await self._blobs()
        with tenant_failures():
            await self._compare(shard, arrival)
            await self._record()
            await row_import.open_up(cluster, arrival)
        self.progress.step("opened")

    # Admission

    async def _admitted(self) -> tuple[str, Resident]:
        """The shard that takes the client, and what it says of it: `importing`, or `open` when this
        very export was imported before."""
        client_id = self.manifest.client_id
        with global_failures():
            async with self.reach.data.global_db.read() as connection:
                placed = await directory.locate_any(connection, client_id)
        there = await self._residents()
        if placed is None:
            return await self._admit(there)
        resident = there.get(placed.shard)
        if resident is None or resident.move_id != import_id_of(self.checked):
            raise Conflict(f"This fleet has a client {client_id} already, living or deleted.")
        return placed.shard, resident

    async def _admit(self, there: dict[str, Resident]) -> tuple[str, Resident]:
        ours = import_id_of(self.checked)
        for shard, found in there.items():
            if found.state != "gone" and found.move_id != ours:
                raise Conflict(f"{shard} knows the client as {found.state}: `docshard doctor`.")
        begun = [shard for shard, found in there.items() if found.state == "importing"]
        epoch = 1 + max((one.epoch for one in there.values() if one.state == "gone"), default=0)
        shard = begun[0] if begun else self._home()
        arrival = Arrival(self.manifest.client_id, ours, epoch)
        if begun:
            arrival = Arrival(arrival.client_id, ours, there[shard].epoch)
        await self._insert(shard, arrival)
        self.progress.step(f"admitted to {shard}")
        return shard, (await self._residents())[shard]

    async def _insert(self, shard: str, arrival: Arrival) -> None:
        """The shard commits first, as for any new client (decision 5)."""
        image = dict(self.manifest.client)
        image["code"] = self.order.code or image["code"]
        image["created_at"] = datetime.fromisoformat(image["created_at"])
        with global_failures():
            async with self.reach.data.global_db.write() as connection:
                try:
                    client = await client_arrivals.insert(connection, image, shard, arrival.epoch)
                except CodeTakenInDatabase as error:
                    raise CodeTaken(
                        f"A client with the code {image['code']} exists: give another by --code."
                    ) from error
                except Erased as error:
                    raise Conflict("This fleet has erased the client, for good.") from error
                # Behind the insert's lock of the shard's row: see services.administration.clients.
                if await shard_catalog.status(connection, shard) != "active":
                    raise ShardUnavailable("The shards change at present.")
                with tenant_failures():
                    cluster = self.reach.mover.registry.cluster(shard)
                    if not await row_import.enter(cluster, arrival):
                        raise Conflict(f"{shard} knows the client: `docshard doctor`.")
                await self._note(connection, "client.create", client.code)

    def _home(self) -> str:
        try:
            return self.reach.data.registry.ring().home(self.manifest.client_id)
        except NoShards as error:
            raise ShardUnavailable("No shard takes new clients at present.") from error

    async def _residents(self) -> dict[str, Resident]:
        found: dict[str, Resident] = {}
        with tenant_failures():
            for shard in self.reach.mover.registry.shards():
                async with self.reach.mover.registry.cluster(shard.name).read() as connection:
                    one = await whole_tenant.residence(connection, self.manifest.client_id)
                if one is not None:
                    found[shard.name] = one
        return found

    # Rows and blobs

    async def _rows(self, shard: str, arrival: Arrival) -> None:
        tables = {table.name: table for table in row_export.TABLES}
        async with row_import.landing(self.reach.mover.registry.cluster(shard), arrival) as landing:
            for part in self.manifest.tables:
                for lines in _batches(self.order.folder / part.file):
                    with _understood():
                        await landing.put(tables[part.name], part.columns, lines)
                self.progress.step(f"{part.file}: {part.rows} rows")

    async def _blobs(self) -> None:
        done = 0

        def moved() -> None:
            self.progress.moved(done, self.manifest.blob_bytes)

        async with AtOnce(moved) as putting:
            for blob in named_blobs(self.order.folder):
                await putting.start(blob.s3_key, self._put(blob))
                done += blob.size
        self.progress.step("blobs")

    async def _put(self, blob: NamedBlob) -> None:
        store = self.reach.blobs
        there = await store.head(blob.s3_key)
        if there is not None and there.sha256 == bytes.fromhex(blob.sha256):
            return
        chunks = _chunks(self.order.folder / blob_file(blob.sha256))
        await store.put_stream(
            blob.s3_key, chunks, blob.mime_type, Expected(blob.size, blob.sha256)
        )

    async def _compare(self, shard: str, arrival: Arrival) -> None:
        """Read all rows again as an export would: the same bytes, or nothing is opened."""
        cluster = self.reach.mover.registry.cluster(shard)
        tables = {table.name: table for table in row_export.TABLES}
        snapshot = row_export.row_snapshot(
            cluster, arrival.client_id, arrival.epoch, states=("importing",)
        )
        async with snapshot as here:
            for part in self.manifest.tables:
                if await _digest(here.lines(tables[part.name], part.columns)) != part.sha256:
                    raise Conflict(f"{part.name} reads otherwise than it was written.")
        self.progress.step("rows compared")

    # The log

    async def _record(self) -> None:
        with global_failures():
            async with self.reach.data.global_db.write() as connection:
                await self._note(connection, "client.import", self.manifest.client["code"])

    async def _note(self, connection: Any, action: str, code: str) -> None:
        manifest = self.manifest
        told: dict[str, Any] = {
            "code": code,
            "manifest_sha256": self.checked.manifest_sha256,
            "snapshot_at": manifest.snapshot_at,
            "rows": manifest.rows,
            "blobs": manifest.blobs,
        }
        if manifest.heads:
            head = manifest.heads[-1]
            told["head"] = {"seq": head.seq, "chain_hash": head.chain_hash, "key": head.public_key}
        event = Event(action, "client", manifest.client_id, None, told)
        await record_global(connection, Origin(reason=self.order.reason), event, manifest.client_id)


@contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except StrangeRow as error:
        raise Conflict(f"The export holds what this fleet cannot take: {error}.") from error
    except NotResident as error:
        raise Conflict("Somebody else has ended this import.") from error


def _batches(path: Path) -> Iterator[list[str]]:
    lines: list[str] = []
    size = 0
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            lines.append(line)
            size += len(line)
            if len(lines) == _BATCH_ROWS or size >= _BATCH_BYTES:
                yield lines
                lines, size = [], 0
    if lines:
        yield lines


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


async def _digest(pages: AsyncIterator[list[str]]) -> str:
    digest = hashlib.sha256()
    async for lines in pages:
        for line in lines:
            digest.update(f"{line}\n".encode())
    return digest.hexdigest()
