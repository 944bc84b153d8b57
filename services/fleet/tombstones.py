"""Who was erased, beside the backups: there it outlives a global database that is restored.

A backup from before an erasure has the client, and the directory in it knows nothing of that.
One small object for each: the client's id, and the certificate when there is one. Kept for ever.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from services.blobs.store import BlobAbsent, BlobStore
from services.errors import ServiceError, StorageUnavailable
from services.fleet.point_manifests import bucket_settings, put_json, read_json
from services.settings import Settings

_log = logging.getLogger(__name__)
_FOLDER: Final = "erasures"


@dataclass(frozen=True, slots=True)
class Tombstone:
    """An erasure that has begun; with a certificate it has ended. `id` is the erasure's own."""

    client_id: UUID
    id: UUID
    reason: str
    deleted_at: datetime
    certificate: Mapping[str, Any] | None = None


@asynccontextmanager
async def open_tombstones(settings: Settings) -> AsyncIterator[Tombstones]:
    """Those in every bucket that holds backups; nowhere without backups."""
    stores = [BlobStore(one) for one in bucket_settings(settings)]
    try:
        yield Tombstones(stores, f"{settings.backup.path.strip('/')}/{_FOLDER}/")
    finally:
        for store in stores:
            await store.close()


@dataclass(frozen=True, slots=True)
class Tombstones:
    """Objects `erasures/<client id>.json` in buckets with backups."""

    stores: Sequence[BlobStore] = ()
    prefix: str = ""

    async def put(self, stone: Tombstone) -> None:
        """Keep it, in the place of an earlier one.

        Raises:
            StorageUnavailable: a bucket does not take it. Each of them may be all that is left.
        """
        content = {
            "schema_version": 1,
            "client_id": stone.client_id,
            "id": stone.id,
            "reason": stone.reason,
            "deleted_at": stone.deleted_at,
            "certificate": stone.certificate,
        }
        for store in self.stores:
            fault = await put_json(store, self._key(stone.client_id), orjson.dumps(content))
            if fault is not None:
                raise StorageUnavailable(
                    "A bucket with backups does not take the note of this erasure, without which a "
                    "restore would bring the client back. Run it again when it answers."
                ) from fault

    async def ids(self) -> frozenset[UUID]:
        """Every client that was erased, or is being so, by any bucket that answers.

        Raises:
            StorageUnavailable: none does, so nobody knows who must not come back.
        """
        found: set[UUID] = set()
        failures = 0
        for store in self.stores:
            try:
                async for keys in store.list_keys(self.prefix):
                    names = (key.removeprefix(self.prefix).removesuffix(".json") for key in keys)
                    found |= {UUID(name) for name in names}
            except ServiceError as error:
                _log.warning("a bucket cannot be asked for erasures: %s", error)
                failures += 1
        if self.stores and failures == len(self.stores):
            raise StorageUnavailable("No bucket with backups answers: who was erased is unknown.")
        return frozenset(found)

    async def read(self, client_id: UUID) -> Tombstone:
        """The one that says most, of any bucket.

        Raises:
            StorageUnavailable: none can be read.
        """
        found = None
        for store in self.stores:
            try:
                told = await read_json(store, self._key(client_id))
            except (ServiceError, BlobAbsent) as error:
                _log.warning("a bucket cannot be asked for an erasure: %s", error)
                continue
            if found is None or found["certificate"] is None:
                found = told
        if found is None:
            raise StorageUnavailable(f"The erasure of {client_id} cannot be read.")
        return Tombstone(
            client_id=client_id,
            id=UUID(found["id"]),
            reason=found["reason"],
            deleted_at=datetime.fromisoformat(found["deleted_at"]),
            certificate=found["certificate"],
        )

    def _key(self, client_id: UUID) -> str:
        return f"{self.prefix}{client_id}.json"
