"""The manifests of restore points beside the backups: there they outlive the global database."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from global_db.restore_points import RestorePoint
from services.backup_settings import BackupBucket
from services.blobs.store import BlobStore, Expected
from services.errors import ServiceError, StorageUnavailable
from services.s3_settings import S3Settings
from services.settings import Settings

_log = logging.getLogger(__name__)
_FOLDER = "points"


def bucket_settings(settings: Settings) -> list[S3Settings]:
    """How each bucket with backups is reached; none without backups."""
    return [_reached(settings, one) for one in settings.backup.buckets]


def copy_settings(settings: Settings) -> list[S3Settings]:
    """How the copy of the documents' bucket is reached; none without one. S3 replicates into
    buckets with versions alone."""
    copy, replicated = settings.backup.blob_copy, settings.s3.replication_role is not None
    if copy is None:
        return []
    return [_reached(settings, copy).model_copy(update={"versioning": replicated})]


def _reached(settings: Settings, bucket: BackupBucket) -> S3Settings:
    return S3Settings(
        endpoint=bucket.endpoint,
        region=bucket.region,
        bucket=bucket.bucket,
        access_key=settings.backup.access_key,
        secret_key=settings.backup.secret_key,
        ca_file=bucket.ca_file,
        cors_origins=(),
        versioning=False,
    )


@asynccontextmanager
async def open_manifests(settings: Settings) -> AsyncIterator[Manifests]:
    """The manifests in every bucket that holds backups."""
    manifests = Manifests(bucket_settings(settings), settings.backup.path)
    try:
        yield manifests
    finally:
        await manifests.close()


class Manifests:
    """Manifests in every bucket that holds backups, beside what lies at `path` there."""

    def __init__(self, buckets: Sequence[S3Settings], path: str) -> None:
        self._stores = [BlobStore(one) for one in buckets]
        self._prefix = f"{path.strip('/')}/{_FOLDER}/"

    async def close(self) -> None:
        """End its threads and connections."""
        for store in self._stores:
            await store.close()

    async def put(self, point: RestorePoint) -> None:
        """Keep the manifest; one bucket that takes it is enough.

        Raises:
            StorageUnavailable: none does.
        """
        content = orjson.dumps({"schema_version": 1, **asdict(point)})
        key = f"{self._prefix}{point.created_at:%Y%m%dT%H%M%SZ}-{point.label}-{point.id}.json"
        failures = [fault for one in self._stores if (fault := await put_json(one, key, content))]
        for fault in failures:
            _log.warning("the manifest of %s is not in every bucket: %s", point.name, fault)
        if self._stores and len(failures) == len(self._stores):
            raise StorageUnavailable(
                f"The restore point {point.label} is made, and no bucket took its manifest."
            )

    async def forget(self, before: datetime) -> int:
        """Remove manifests of points that were made before; answers how many, of one page each.

        Keys begin with the time, so the first page has the oldest. A bucket that is away keeps its
        own until the next time.
        """
        limit, removed = f"{self._prefix}{before:%Y%m%dT%H%M%SZ}", 0
        for store in self._stores:
            try:
                async with aclosing(store.list_keys(self._prefix)) as pages:
                    oldest = [key for key in await anext(pages, []) if key < limit]
                for key in oldest:
                    await store.delete(key)
                removed += len(oldest)
            except ServiceError as error:
                _log.warning("old manifests are removed next time: %s", error)
        return removed

    async def find(self, wanted: str) -> RestorePoint | None:
        """The newest point of this label, or that of this id; from whichever bucket answers.

        Raises:
            StorageUnavailable: none does.
        """
        answered = False
        for store in self._stores:
            try:
                key = await self._newest_key(store, wanted)
                answered = True
                if key is not None:
                    return await _read(store, key)
            except ServiceError as error:
                _log.warning("a bucket cannot be asked for restore points: %s", error)
        if not answered:
            raise StorageUnavailable("No bucket with backups answers.")
        return None

    async def newest(self) -> RestorePoint | None:
        """The newest point of any label, from whichever bucket answers; None when none does."""
        for store in self._stores:
            try:
                key = None
                async for keys in store.list_keys(self._prefix):
                    key = max([key or "", *keys])
                if key:
                    return await _read(store, key)
            except ServiceError as error:
                _log.warning("a bucket cannot be asked for restore points: %s", error)
        return None

    async def _newest_key(self, store: BlobStore, wanted: str) -> str | None:
        newest = None
        async for keys in store.list_keys(self._prefix):
            for key in keys:
                name = key.removeprefix(self._prefix).removesuffix(".json")
                label, id_ = name[len("20260101T000000Z-") : -37], name[-36:]
                if wanted in (label, id_):
                    newest = max(newest or key, key)
        return newest


async def put_json(store: BlobStore, key: str, content: bytes) -> ServiceError | None:
    """Write a small object; answers why it could not be."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    expected = Expected(len(content), hashlib.sha256(content).hexdigest())
    try:
        await store.put_stream(key, chunks(), "application/json", expected)
    except ServiceError as error:
        return error
    return None


async def read_json(store: BlobStore, key: str) -> Any:
    """A small object's content.

    Raises:
        BlobAbsent, StorageUnavailable.
    """
    reader = await store.open_stream(key)
    try:
        return orjson.loads(b"".join([chunk async for chunk in reader]))
    finally:
        reader.close()


async def _read(store: BlobStore, key: str) -> RestorePoint:
    told = await read_json(store, key)
    return RestorePoint(
        id=UUID(told["id"]),
        name=told["name"],
        label=told["label"],
        positions=told["positions"],
        created_at=datetime.fromisoformat(told["created_at"]),
    )
